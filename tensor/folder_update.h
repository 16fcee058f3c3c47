// FolderUpdate: replaces several files of a folder together; after a crash none is new, or all are.
//
// New files are written to FOLDER/.saving.part. Renaming that to FOLDER/.saving is the decision:
// from then on the new files count, and what is left to do (removing obsolete files, moving the new
// ones) is listed in it. Whoever opens the folder next finishes what a crash interrupted.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/file_lock.h"

namespace ink {

class FolderUpdate {
 public:
  // Creates the folder and locks it, waiting for another update of it; finishes an earlier one.
  explicit FolderUpdate(std::filesystem::path folder);
  ~FolderUpdate();  // without commit() the folder is as it was, or gone if it is new
  FolderUpdate(const FolderUpdate&) = delete;
  FolderUpdate& operator=(const FolderUpdate&) = delete;

  const std::filesystem::path& staging() const { return staging_; }  // where new files are written
  // Puts the new files in place, and removes those of `obsolete` (plain names) that are not new.
  void commit(const std::vector<std::string>& obsolete);

 private:
  std::filesystem::path folder_, staging_;
  std::vector<std::filesystem::path> made_;  // folders that were not there before, innermost first
  FileLock lock_;
};

// Finishes an update of the folder that a crash interrupted behind its decision, if there is one.
void finish_update(const std::filesystem::path& folder);

}  // namespace ink
