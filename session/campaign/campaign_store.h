#pragma once
// CampaignStore: a campaign on the disk, so that it can be resumed, merged and compared:
//
//   STORE/campaigns/<name>/<UTC time>/campaign.json   what is to be played, written before anything is
//                                     runs.jsonl      a line for each run that ended
//
// and the links `latest` in STORE/campaigns and in STORE/campaigns/<name>. A record is in the file, and on the disk,
// before anything follows from it; a controller that is killed at any moment loses the run it was at, and leaves at
// most one torn line, which is cut off when the campaign is resumed.
//
// Thread-safety: one object, one thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "session/campaign/campaign.h"
#include "session/campaign/run_record.h"

namespace ordeal {

// A campaign read from its directory, as far as it was played.
struct StoredCampaign {
  std::string path;                // absolute, without links
  std::string store;               // that the directory stands in
  Campaign campaign;               // its plans say `store`
  std::vector<RunRecord> records;  // of each run the last one, by number
};

// `path`: a campaign's directory, or a link to it. Errors: not_found; input.
[[nodiscard]] Result<StoredCampaign> read_stored_campaign(const std::string& path);
// What `latest` means in a store.
[[nodiscard]] std::string latest_campaign(const std::string& store);

// A run's directory as its record has it: below the store, or as it is when it is elsewhere.
[[nodiscard]] std::string within(const std::string& store, const std::string& directory);

// For a process that plays a run of the campaign on behalf of its controller: as long as the descriptor is open
// resume() waits, so that what a killed controller left behind has undone its faults before anything is played again.
// Errors: io.
[[nodiscard]] Result<Descriptor> hold_campaign(const std::string& directory);

class CampaignStore {
 public:
  // Makes a new directory. Errors: io, permission.
  [[nodiscard]] static Result<CampaignStore> create(Campaign campaign, const std::string& store);
  // One that is there, to play on; waits for what hold_campaign() says, two minutes at most. Errors: of
  // read_stored_campaign(); usage, when somebody is at it or another version of the program began it.
  [[nodiscard]] static Result<CampaignStore> resume(const std::string& path);

  [[nodiscard]] const std::string& path() const { return stored_.path; }
  [[nodiscard]] const std::string& store() const { return stored_.store; }
  [[nodiscard]] const Campaign& campaign() const { return stored_.campaign; }
  // Of earlier sittings.
  [[nodiscard]] const std::vector<RunRecord>& records() const { return stored_.records; }

  // Returns when the record is on the disk. Errors: io.
  [[nodiscard]] Result<void> keep(const RunRecord& record);
  // Writes or replaces a file of the directory atomically. Errors: io.
  [[nodiscard]] Result<void> write(std::string_view name, std::string_view contents) const;

 private:
  CampaignStore() = default;
  [[nodiscard]] Result<void> open_journal();

  StoredCampaign stored_;
  Descriptor lock_;  // of the directory, for as long as this lives
  Descriptor journal_;
};

}  // namespace ordeal
