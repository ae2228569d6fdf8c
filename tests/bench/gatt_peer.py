#!/usr/bin/env python3
"""bench-gatt-peer: values as an integration of Home Assistant reads them, for whoever asks.

gatt_peer.py PORT…

As links_peer.py, and answers as well: {"do": "visit", "address": A, "uuid": U}, which connects, reads and disconnects,
and tells the seconds until it had the value; {"do": "reads", "addresses": [A, …], "uuid": U, "rate": R, "seconds": S},
which reads over links that are open, R times a second over all of them, and tells how many reads were done in how many
seconds, and the microseconds that each took. Times are taken in here: asking for them costs nothing."""
import asyncio
import sys
import time

import links_peer


class Home(links_peer.Home):
    async def visit(self, address, uuid):
        began = time.perf_counter()
        answer = await self.connect(address)
        if answer["error"]:
            return answer
        await self.clients[address].read_gatt_char(uuid)
        seconds = time.perf_counter() - began
        await self.disconnect(address)
        return {**answer, "s": seconds}

    async def read_often(self, address, uuid, due, period, end):
        """The microseconds of each read. Whoever is late asks again at once, until it has made up for it."""
        client, times = self.clients[address], []
        while (now := time.perf_counter()) < end:
            if now < due:
                await asyncio.sleep(due - now)
            began = time.perf_counter()
            await client.read_gatt_char(uuid)
            times.append(round(1e6 * (time.perf_counter() - began)))
            due += period
        return times

    async def reads(self, addresses, uuid, rate, seconds):
        began, period = time.perf_counter(), len(addresses) / rate
        times = await asyncio.gather(*(
            self.read_often(address, uuid, began + number / rate, period, began + seconds)
            for number, address in enumerate(addresses)))
        of_all = [us for of_one in times for us in of_one]
        return {"reads": len(of_all), "seconds": time.perf_counter() - began, "us": of_all}

    async def answer(self, request):
        if request["do"] not in ("visit", "reads"):
            return await super().answer(request)
        return await getattr(self, request.pop("do"))(**request)


if __name__ == "__main__":
    sys.exit(links_peer.main(Home))
