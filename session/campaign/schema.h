#pragma once
// The JSON Schema (draft 7) of campaign files, for editors: made from the tables that the reader uses, so that the two
// cannot differ. Thread-safety: a pure function.

#include "base/value.h"

namespace ordeal {

[[nodiscard]] Value campaign_schema();

}  // namespace ordeal
