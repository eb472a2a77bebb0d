"""The routes, a module for each group; `api.service.app` puts them together."""
