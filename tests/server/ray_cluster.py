"""A Ray cluster on this machine, in a process of its own; told over standard input what to do.

``head`` starts one at the port of the last, ``add`` a node with one place, ``kill`` ends the oldest
node and ``lose`` the head, both without a word to anybody. Each is answered with the address. The
end of the input ends everything.
"""

import sys
from typing import Any

from ray.cluster_utils import Cluster

SMALL: dict[str, Any] = {"object_store_memory": 96 * 2**20, "include_dashboard": False}


def main() -> None:
    cluster, nodes, address = Cluster(shutdown_at_exit=True), [], ""
    for line in sys.stdin:
        word = line.strip()
        if word == "head":
            cluster.shutdown()
            port = {"gcs_server_port": int(address.rpartition(":")[2])} if address else {}
            cluster, nodes = Cluster(), []
            cluster.add_node(num_cpus=0, **port, **SMALL)
            address = cluster.address
        elif word == "add":
            nodes.append(cluster.add_node(num_cpus=1, **SMALL))
        elif word == "kill":
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
        elif word == "lose":
            cluster.remove_node(cluster.head_node, allow_graceful=False)
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main()
