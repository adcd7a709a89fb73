"""What pages are made of: templates, styles, small modules, and how a page is put together.

The routes that serve them are in `warmcube.service.routes`.
"""
