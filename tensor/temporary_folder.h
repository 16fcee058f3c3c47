// A folder for files on their way to another one, removed with all that is in it at the end.
#pragma once
#include <filesystem>

namespace ink {

class TemporaryFolder {
 public:
  TemporaryFolder();  // in the system's place for such; raises Error where that fails
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace ink
