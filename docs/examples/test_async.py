"""In an event loop: the server runs in the same loop, without a thread, and everything is awaited."""

import asyncio

from inferneo import AsyncInferneoClient
from mockserver import MockServer, chat

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hello!"}]}


def test_two_calls_are_really_concurrent():
    async def main():
        async with MockServer() as server, AsyncInferneoClient(server.url) as client:
            session = server.session()
            session.on(chat()).hold().reply("Done.")
            calls = [asyncio.create_task(client.chat.completions.create(**ASK)) for _ in range(2)]
            await session.wait_for(2, arrived=True)  # both are on the server, none is answered
            session.release()
            answers = await asyncio.gather(*calls)
            assert [answer.choices[0].message.content for answer in answers] == ["Done.", "Done."]

    asyncio.run(main())
