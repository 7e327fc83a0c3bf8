"""Planning studies: deferral of transformer replacements, and flexible interconnection of new plants."""
