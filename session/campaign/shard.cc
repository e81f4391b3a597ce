#include "session/campaign/shard.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <map>

#include "base/text.h"

namespace ordeal {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxShards = 100'000;

bool parse_number(std::string_view text, std::size_t& out) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && stop == text.data() + text.size();
}

Result<StoredCampaign> read_shard(const std::string& path) {
  std::error_code error;
  const bool is_store = !fs::exists(path + "/campaign.json", error) && fs::exists(latest_campaign(path), error);
  auto read = read_stored_campaign(is_store ? latest_campaign(path) : path);
  if (read || read.error().code != ErrorCode::not_found) return read;
  return fail(ErrorCode::usage, read.error().message);
}

// What makes a plan that plan, on whatever machine: without the places where its values came from and where it is kept.
Value essence(const Plan& plan) {
  Value out = plan.to_value();
  out.set("store", Value());
  out.set("origins", Value());
  Value options = *out.find("options");
  for (auto& [key, option] : options.entries()) option.set("origin", Value());
  out.set("options", std::move(options));
  return out;
}

// Why two shards are not of one campaign; empty: they are.
std::string difference(const Campaign& a, const Campaign& b) {
  if (a.shard.of != b.shard.of) return fmt::format("one is of {} shards, the other of {}", a.shard.of, b.shard.of);
  if (a.runs.size() != b.runs.size()) return fmt::format("one has {} runs, the other {}", a.runs.size(), b.runs.size());
  if (!(a.settings.to_value() == b.settings.to_value())) return "their settings differ";
  for (std::size_t i = 0; i < a.runs.size(); ++i) {
    const bool same = a.runs[i].name == b.runs[i].name && a.runs[i].expect.text() == b.runs[i].expect.text() &&
                      essence(a.runs[i].plan) == essence(b.runs[i].plan);
    if (!same) return fmt::format("run {}, \"{}\", is not the same in both", i + 1, a.runs[i].name);
  }
  return "";
}

}  // namespace

Result<Shard> parse_shard(std::string_view text) {
  const std::size_t slash = text.find('/');
  Shard out;
  const bool good = slash != std::string_view::npos && parse_number(text.substr(0, slash), out.index) &&
                    parse_number(text.substr(slash + 1), out.of) && out.index >= 1 && out.index <= out.of &&
                    out.of <= kMaxShards;
  if (good) return out;
  return fail(ErrorCode::usage, fmt::format("a shard such as 2/3 was expected (from 1/N to N/N), found \"{}\"", text));
}

ShardView of_shard(const Campaign& campaign, const CampaignOutcome& outcome) {
  ShardView out{campaign, {}};
  out.campaign.runs.clear();
  for (std::size_t i = 0; i < campaign.runs.size(); ++i) {
    if (!campaign.shard.has(i)) continue;
    out.campaign.runs.push_back(campaign.runs[i]);
    out.outcome.runs.push_back(outcome.runs[i]);
  }
  return out;
}

Result<Merged> merged(const std::vector<std::string>& paths) {
  std::map<std::size_t, StoredCampaign> shards;
  for (const std::string& path : paths) {
    auto read = read_shard(path);
    if (!read) return fail(read.error());
    const std::size_t index = read->campaign.shard.index;
    if (!shards.empty()) {
      const auto& [number, first] = *shards.begin();
      const std::string why = difference(first.campaign, read->campaign);
      if (!why.empty()) {
        return fail(ErrorCode::usage,
                    fmt::format("{} and {} are not shards of one campaign: {}", first.path, read->path, why));
      }
    }
    const std::string here = read->path;
    const auto [place, fresh] = shards.emplace(index, *std::move(read));
    if (!fresh) {
      return fail(ErrorCode::usage, fmt::format("{} and {} are both shard {} of {}", place->second.path, here, index,
                                                place->second.campaign.shard.of));
    }
  }
  if (shards.empty()) return fail(ErrorCode::usage, "no directory to merge");
  Merged out;
  out.campaign = shards.begin()->second.campaign;
  const std::size_t of = out.campaign.shard.of;
  for (auto& [index, shard] : shards) {
    for (RunRecord& record : shard.records) {
      if (!shard.campaign.shard.has(record.run)) continue;
      if (!record.directory.empty() && record.directory.front() != '/')
        record.directory = shard.store + "/" + record.directory;
      out.records.push_back(std::move(record));
    }
  }
  out.campaign.shard = {};
  // Nothing is played any more; what is not there was not started.
  std::stop_source stop;
  stop.request_stop();
  Conduct how;
  how.stop = stop.get_token();
  how.before = out.records;
  auto outcome = conduct(out.campaign, how);
  if (!outcome) return fail(outcome.error());
  out.outcome = *std::move(outcome);
  for (std::size_t i = 0; i < out.outcome.runs.size(); ++i) {
    CampaignOutcome::Run& run = out.outcome.runs[i];
    const std::size_t shard = i % of + 1;
    if (run.standing != Standing::not_started || shards.contains(shard)) continue;
    run.why = fmt::format("not started: shard {} of {} is missing", shard, of);
  }
  return out;
}

}  // namespace ordeal
