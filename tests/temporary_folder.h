// A folder for one test, removed with everything in it at the end.
#pragma once
#include <filesystem>
#include <string>

#include "tensor/temporary_folder.h"

namespace ink::testing {

class TemporaryFolder : public ink::TemporaryFolder {
 public:
  std::filesystem::path operator/(const std::string& name) const { return path() / name; }
};

}  // namespace ink::testing
