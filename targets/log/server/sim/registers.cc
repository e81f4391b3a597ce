#include "targets/log/server/sim/registers.h"

#include <vector>

namespace ordeal::log::sim {
namespace {

void put(std::string& bytes, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t get(std::string_view bytes, std::size_t word) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[8 * word + i])} << (8 * i);
  return value;
}

// FNV-1a, 64 bits.
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

std::string encode(const Command& command) {
  std::string bytes;
  for (const std::uint64_t word :
       {static_cast<std::uint64_t>(command.call), command.operation, command.key, command.expected, command.value}) {
    put(bytes, word);
  }
  return bytes;
}

Command decode_command(std::string_view bytes) {
  return {static_cast<Call>(get(bytes, 0)), get(bytes, 1), get(bytes, 2), get(bytes, 3), get(bytes, 4)};
}

bool Registers::apply(const Command& command) {
  if (command.call == Call::cas && read(command.key) != command.expected) return false;
  values_[command.key] = command.value;
  return true;
}

std::uint64_t Registers::read(std::uint64_t key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? 0 : found->second;
}

std::string Registers::save(raft::NodeId by) const {
  std::string bytes;
  put(bytes, by);
  for (const auto& [key, value] : values_) {
    put(bytes, key);
    put(bytes, value);
  }
  put(bytes, checksum(bytes));
  return bytes;
}

bool Registers::load(std::string_view bytes) {
  values_.clear();
  if (bytes.empty()) return true;  // of a new cluster
  if (bytes.size() % 16 != 0 || get(bytes, bytes.size() / 8 - 1) != checksum(bytes.substr(0, bytes.size() - 8)))
    return false;
  for (std::size_t word = 1; word + 2 < bytes.size() / 8; word += 2) values_[get(bytes, word)] = get(bytes, word + 1);
  return true;
}

}  // namespace ordeal::log::sim
