"""A complete group member: member.py 1 127.0.0.1:7001 2@127.0.0.1:7002 3@127.0.0.1:7003"""

import sys

import isis

if len(sys.argv) < 3:
    sys.exit(__doc__)
number, listen, *others = sys.argv[1:]
peers = {int(peer): address for peer, address in (other.split("@") for other in others)}

with isis.Site(int(number), listen=listen, peers=peers) as site:
    with site.process("member").join("orders") as group:
        orders = []
        for event in group:
            if isinstance(event, isis.View):
                print("members:", *event.members, flush=True)
                if len(event.members) == len(peers) + 1:  # the last one has joined
                    group.bcast(f"order of site {number}".encode(), label="queue")
            elif isinstance(event, isis.Message):
                orders.append(event.payload.decode())
                print(len(orders), orders[-1], flush=True)  # the same everywhere
                if len(orders) > len(peers):
                    break
        group.flush()
