#pragma once
// Ports: the text of options such as partition.ports. Thread-safety: pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

// "2380,2379" -> {2380, 2379}; empty: none. Errors: usage; more than 13 are too many for one rule of iptables (it takes
// 15, and one is for probes).
[[nodiscard]] Result<std::vector<int>> parse_ports(std::string_view text);
[[nodiscard]] std::string ports_text(const std::vector<int>& ports);

}  // namespace ordeal
