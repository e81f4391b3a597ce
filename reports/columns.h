#pragma once
// The operations of a run as the page carries them: columns of small integers, gzip, base64.
//
// As rows of JSON, 100,000 operations take 11 MB and seconds to parse; as columns of variable-length integers about
// 1 MB and a tenth of a second. The page unpacks them with DecompressionStream (reports/assets/data.js). Before
// compression the bytes are: length of the header (4 bytes, little endian), a JSON header, then the columns, each at
// the [offset, length] that the header's "columns" gives. Numbers are LEB128, signed ones zigzag-coded. Being base64,
// the text cannot hold markup whatever the database wrote. Private to reports/. Thread-safety: pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "reports/facts.h"

namespace ordeal {

// So many operations a page holds. Of a longer run it has a sample at equal distances, half as many, and up to as many
// again around those that the anomalies name, the first anomalies first.
inline constexpr std::size_t kMaxOperationsInPage = 500'000;

// Those that it holds, in order; at most `most`.
[[nodiscard]] std::vector<OperationEvents> operations_for_page(const ReportInput& input, const Facts& facts,
                                                               std::size_t most = kMaxOperationsInPage);
// For people, when it does not hold all: "This page holds 500,000 of 4,900,000 operations: …". Empty: it does.
[[nodiscard]] std::string page_note(std::size_t shown, std::size_t all);

// The text for the page. Values longer than a few thousand bytes are cut, and more strictly so when they add up to
// tens of megabytes; the header says how many were.
[[nodiscard]] std::string packed_operations(const ReportInput& input, const Facts& facts,
                                            const std::vector<OperationEvents>& operations);

// gzip without a time stamp, so that the same input gives the same bytes.
[[nodiscard]] std::string gzip(std::string_view bytes);

}  // namespace ordeal
