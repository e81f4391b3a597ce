#pragma once
// Gives a forked process a name of its own in ps and top.
//
// The keeper and the nodes' first processes are forks of the controller. They shall not look like it, neither to
// people nor to somebody who kills the controller by its name. Thread-safety: for processes with a single thread.

#include <string>

namespace ordeal::nodes {

// `name` (at most 15 characters are kept) is what pgrep matches, `title` what ps shows as the command line; it is cut
// to the length of the original command line.
void set_process_title(const std::string& name, const std::string& title);

}  // namespace ordeal::nodes
