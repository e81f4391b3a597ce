#include "base/version.h"

namespace ordeal {

const char* const kVersion = ORDEAL_VERSION;

}  // namespace ordeal
