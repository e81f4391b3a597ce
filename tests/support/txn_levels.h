#pragma once
// The levels that an order of transactions decides, with the oracle (txn_oracle.h) for each. Thread-safety: pure
// functions.

#include "support/txn_oracle.h"

namespace ordeal::testing_support {

enum class OrderModel { serial, snapshot, prefix };
struct OrderedLevel {
  const char* name;
  OrderModel model;
  OracleOrder order;
};
inline constexpr OrderedLevel kLevels[] = {
    {"serializable", OrderModel::serial, OracleOrder::none},
    {"strong-session-serializable", OrderModel::serial, OracleOrder::session},
    {"strict-serializable", OrderModel::serial, OracleOrder::realtime},
    {"snapshot-isolation", OrderModel::snapshot, OracleOrder::none},
    {"strong-session-snapshot-isolation", OrderModel::snapshot, OracleOrder::session},
    {"strong-snapshot-isolation", OrderModel::snapshot, OracleOrder::realtime},
    {"prefix", OrderModel::prefix, OracleOrder::session},
    {"strong-prefix", OrderModel::prefix, OracleOrder::realtime},
};

inline bool allowed(const OracleHistory& history, const OrderedLevel& level) {
  switch (level.model) {
    case OrderModel::serial:
      return serializable(history, level.order);
    case OrderModel::snapshot:
      return snapshot_isolated(history, level.order);
    case OrderModel::prefix:
      return prefix_consistent(history, level.order);
  }
  return false;
}

}  // namespace ordeal::testing_support
