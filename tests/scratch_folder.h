// A folder for one test program's files, in memory where the system offers that: flushing
// is then free.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <string>

namespace ink {

inline std::filesystem::path scratch_folder(const std::string& name) {
  const bool memory = ::access("/dev/shm", W_OK) == 0;
  const std::filesystem::path parent =
      memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
  return parent / (name + '-' + std::to_string(::getpid()));
}

}  // namespace ink
