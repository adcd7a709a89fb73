"""A module for each resource: a factory that makes an `APIRouter` for a `Service`."""
