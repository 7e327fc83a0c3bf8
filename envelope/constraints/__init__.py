"""A problem as mathematics: monitored feeder, base case, linear constraints with their worst corners, disturbances."""
