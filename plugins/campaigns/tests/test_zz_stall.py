import asyncio, time, random, subprocess, resource
from .world import *

async def watched(admin, work):
    gaps = []; lat = []; stop = False
    async def tick():
        last = time.perf_counter()
        while not stop:
            await asyncio.sleep(0.001)
            now = time.perf_counter(); gaps.append(now - last); last = now
    async def ask():
        while not stop:
            t = time.perf_counter()
            await admin.get("/api/campaigns/files/00000000-0000-0000-0000-000000000000")
            lat.append(time.perf_counter() - t)
    tasks = [asyncio.create_task(tick()), asyncio.create_task(ask())]
    t = time.perf_counter()
    out = await work
    took = time.perf_counter() - t
    stop = True
    await asyncio.gather(*tasks)
    gaps.sort(); lat.sort()
    print("took", round(took, 2), "loop gap max ms", round(gaps[-1]*1000,1), "p99", round(gaps[int(len(gaps)*.99)]*1000,1), "| request ms p50", round(lat[len(lat)//2]*1000,1), "p99", round(lat[int(len(lat)*.99)]*1000,1), "max", round(lat[-1]*1000,1), "rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024)
    return out

async def curl(*a):
    p = await asyncio.create_subprocess_exec("curl", "-s", *a, stdout=subprocess.PIPE)
    out, _ = await p.communicate()
    return out

async def test_stall(world, tmp_path):
    n = 100_000
    f = tmp_path / "big.csv"
    with f.open("w") as out:
        out.write("Nome;Celular;Cidade;Valor;Vencimento\r\n")
        for i in range(n):
            out.write(f"Cliente número {i};(11) 9{random.randrange(10**7, 10**8)};São Paulo;{i},90;12/10/2026\r\n")
    auth = ["-H", f"Authorization: Bearer {world.admin.token}"]
    print("upload", end=" ")
    out = await watched(world.admin, curl("-F", f"file=@{f}", *auth, world.server.url + "/api/campaigns/upload"))
    import orjson
    fid = orjson.loads(out)["fileId"]
    print("remap", end=" ")
    await watched(world.admin, curl("-X", "POST", "-H", "content-type: application/json", "-d", '{"defaultRegion":"PT"}', *auth, world.server.url + f"/api/campaigns/files/{fid}/report"))
    number = await world.number()
    draft = await world.draft(number, "Olá {{Nome}} de {{Cidade}}, {{Valor}}", fileId=fid)
    print("preview", end=" ")
    out = await watched(world.admin, curl("-X", "POST", *auth, world.server.url + f"/api/campaigns/{draft['id']}/preview"))
    print(out[:300])
    print("errors.csv", end=" ")
    out = await watched(world.admin, curl(*auth, world.server.url + f"/api/campaigns/files/{fid}/errors.csv"))
    print(len(out))
    m = tmp_path / "million.csv"
    with m.open("w") as out:
        out.write("Celular\n")
        for i in range(1_000_000):
            out.write("11988887777\n")
    print("million", end=" ")
    out = await watched(world.admin, curl("-F", f"file=@{m}", *auth, world.server.url + "/api/campaigns/upload"))
    print(out)
    assert 0
