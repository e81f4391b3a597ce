#pragma once
// Name probe: whether a program on this node gets answers from name servers.

#include <string>
#include <vector>

namespace ordeal::agent {

// Asks each of `servers`, a name server of its own that it runs meanwhile on 127.77.0.53 (port 53, this node's
// loopback, where nobody else listens), and those of /etc/resolv.conf. Prints "name SERVER WHAT CODE" for each, WHAT
// being answered (with that code), refused or silent.
int probe_names();

}  // namespace ordeal::agent
