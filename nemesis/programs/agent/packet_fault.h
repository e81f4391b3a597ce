#pragma once
// Packet fault: a queue of packets (packet_queue.h) and what becomes of them (packet_effect.h), in the background until
// the fault is undone. What is held back then is let go.

#include <string>
#include <vector>

namespace ordeal::agent {

// Prints "queue NUMBER MARK": the rules that lead packets to it are not its business.
int start_packet_fault(const std::string& folder, const std::string& seed, const std::vector<std::string>& effect);
int undo_packet_fault(const std::string& folder);

}  // namespace ordeal::agent
