"""The market's register: parties, component DERs, aggregations, and the reviews that the utility makes of them."""
