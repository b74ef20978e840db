"""A client that speaks to an application in this process, or to a server that has it."""

from __future__ import annotations

import asyncio
from json import dumps

import httpx


class Client:
    """Sends requests to an ASGI application, each in an event loop of its own."""

    def __init__(self, app, base_url="http://shop.example", **headers):
        self.app, self.base_url, self.headers = app, base_url, headers

    def request(self, method, path, **options):
        return asyncio.run(self._request(method, path, **options))

    is_served = False
    """Whether a server listens at the base URL."""

    async def _request(self, method, path, **options):
        transport = None if self.is_served else httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(
            transport=transport, base_url=self.base_url, headers=self.headers, trust_env=False
        ) as client:
            return await client.request(method, path, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, json=..., **options):
        if json is not ...:  # not by httpx, which cannot send half a surrogate pair
            options["content"] = dumps(json)
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        return self.request("POST", path, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)
