#pragma once
// The style sheets and scripts of the report, from reports/assets/, embedded by embed.cmake at build time. Private to
// reports/. Thread-safety: constants.

#include <string_view>

namespace ordeal {

// The text of one file by its name: "report.css". Requires: it exists (checked).
[[nodiscard]] std::string_view asset(std::string_view name);

}  // namespace ordeal
