// A folder for files on their way to another one, removed with all that is in it at the end.
#include "tensor/temporary_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "inkstone-XXXXXX").string();
  if (!::mkdtemp(name.data())) fail("cannot create a folder like ", name, ": ", reason(errno));
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace ink
