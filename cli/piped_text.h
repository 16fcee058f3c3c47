// Texts named on the command line, where "-" is standard input: kept in a file while it is needed,
// for jobs that read their text more than once.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tensor/temporary_folder.h"

namespace ink::cli {

class PipedText {
 public:
  // Reads standard input to its end, for `verb`, where `names` has "-". Raises Error when that
  // cannot be stored.
  PipedText(const std::string& verb, const std::vector<std::string>& names);
  const std::vector<std::filesystem::path>& paths() const { return paths_; }

 private:
  std::vector<std::filesystem::path> paths_;
  std::optional<TemporaryFolder> folder_;
};

}  // namespace ink::cli
