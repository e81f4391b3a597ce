#pragma once
// Reach probe: which addresses answer a connection, all asked at once by one process.

#include <string>
#include <vector>

namespace ordeal::agent {

// Connects to `port` of each address and prints "reach ADDRESS WHAT US" for each, WHAT being open (accepted or
// refused: packets pass both ways), silent (no answer within `wait_ms`, or the network said that there is no way) or
// unknown (it could not be tried), US the microseconds until the answer.
//
// A connection that was accepted is reset before the other end's program hears of it: the socket holds back the last
// packet of the handshake (TCP_DEFER_ACCEPT), so that hundreds of nodes that ask each other's sshd start no process.
int probe_reach(int port, int wait_ms, const std::vector<std::string>& addresses);

}  // namespace ordeal::agent
