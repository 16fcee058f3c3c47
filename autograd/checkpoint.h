// Checkpoints: folders that are either complete and intact, or not used.
//
//   <root>/checkpoint-00000120/
//     …               what the caller writes: parameters, optimizer state
//     trainer.json    the caller's state and the step
//     manifest.json   name, size and checksum of every other file, written last
//
// A checkpoint is written under a temporary name, flushed to the disk and renamed; older ones
// are removed only after that, and one of the same step steps aside until then. A process
// that is killed at any moment therefore costs the checkpoint it was writing and no other.
// newest() verifies every byte and falls back to an earlier checkpoint, saying so, when the
// newest is damaged.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "tensor/file_lock.h"
#include "tensor/json.h"

namespace ink {

class CheckpointFolder {
 public:
  using Notice = std::function<void(const std::string& sentence)>;

  // Creates `root` if needed, locks it for this object's life (raises Error when another
  // process trains there) and removes what killed writers left. `keep`: how many checkpoints
  // stay, at least 1.
  CheckpointFolder(std::filesystem::path root, int64_t keep, Notice notice = {});
  CheckpointFolder(const CheckpointFolder&) = delete;
  CheckpointFolder& operator=(const CheckpointFolder&) = delete;

  struct Found {
    std::filesystem::path folder;
    int64_t step = 0;
    Json state;
  };
  // The newest intact checkpoint. Damaged ones that are newer are renamed to "….damaged". Nothing
  // when there are no checkpoints; an Error when there are some and all are damaged.
  std::optional<Found> newest() const;

  // `write_files(folder)` puts the caller's files into the folder it is given, each flushed
  // (tensor/file.h does). An Error leaves the earlier checkpoints as they were.
  void write(int64_t step, const Json& state,
             const std::function<void(const std::filesystem::path& folder)>& write_files) const;

  const std::filesystem::path& root() const { return root_; }

 private:
  void remove_leftovers() const;
  void remove_old() const;
  std::filesystem::path root_;
  int64_t keep_;
  Notice notice_;
  std::optional<FileLock> lock_;
};

// Whether there are checkpoints in `root`, intact or not.
bool has_checkpoints(const std::filesystem::path& root);
// Raises Error where there are, for a run that begins anew.
void check_no_checkpoints(const std::filesystem::path& root);

}  // namespace ink
