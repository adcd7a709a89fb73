"""What is measured, a module for each: `measure` takes a `Bench` and puts its figures into it."""
