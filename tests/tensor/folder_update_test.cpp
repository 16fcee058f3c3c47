// Updates of a folder: all files or none, wherever a crash cuts them off.
#include "tensor/folder_update.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;
using Files = std::map<std::string, std::string>;

void write_all(const fs::path& folder, const Files& files) {
  create_folders(folder);
  for (const auto& [name, text] : files) write_file(folder / name, text);
}

Files read_all(const fs::path& folder) {
  Files files;
  for (const auto& entry : fs::directory_iterator(folder))
    files[entry.path().filename()] =
        entry.is_directory() ? "a folder" : read_file(entry.path(), 1000);
  return files;
}

const Files kOld{{"a", "old a"}, {"b", "old b"}, {"c", "old c"}, {"mine", "kept"}};
const Files kNew{{"a", "new a"}, {"b", "new b"}, {"mine", "kept"}};

TEST(FolderUpdate, ReplacesAddsAndRemoves) {
  const TemporaryFolder folder;
  write_all(folder.path(), kOld);
  FolderUpdate update(folder.path());
  write_all(update.staging(), {{"a", "new a"}, {"b", "new b"}});
  update.commit({"a", "c", "absent"});
  EXPECT_EQ(read_all(folder.path()), kNew);
}

TEST(FolderUpdate, WithoutCommitNothingChanges) {
  const TemporaryFolder folder;
  write_all(folder.path(), kOld);
  {
    const FolderUpdate update(folder.path());
    write_all(update.staging(), {{"a", "new a"}});
  }
  EXPECT_EQ(read_all(folder.path()), kOld);
  write_all(folder / ".saving.part", {{"a", "half"}});  // a crash before the decision
  finish_update(folder.path());
  { const FolderUpdate next(folder.path()); }
  EXPECT_EQ(read_all(folder.path()), kOld);
}

// Every state that a crash behind the decision can leave: some of the listed steps are done.
TEST(FolderUpdate, IsFinishedWhereverACrashCutItOff) {
  const std::vector<std::string> steps{"-c", "+a", "+b"};
  for (size_t done = 0; done <= steps.size(); ++done) {
    const TemporaryFolder folder;
    write_all(folder.path(), kOld);
    write_all(folder / ".saving", {{"a", "new a"}, {"b", "new b"}, {".list", "-c\n+a\n+b\n"}});
    for (size_t i = 0; i < done; ++i) {
      const std::string name = steps[i].substr(1);
      if (steps[i][0] == '-')
        fs::remove(folder / name);
      else
        fs::rename(folder / ".saving" / name, folder / name);
    }
    if (done % 2 == 0)
      finish_update(folder.path());
    else
      FolderUpdate next(folder.path());  // the next update finishes it first
    EXPECT_EQ(read_all(folder.path()), kNew) << done;
  }
}

TEST(FolderUpdate, RefusesWhatItCannotReplaceBeforeAnythingChanges) {
  const TemporaryFolder folder;
  write_all(folder.path(), kOld);
  create_folders(folder / "b2");
  FolderUpdate update(folder.path());
  write_all(update.staging(), {{"a", "new a"}, {"b2", "new"}});
  EXPECT_ERROR(update.commit({"c"}), "there is a folder of that name");
  EXPECT_EQ(read_file(folder / "a", 100), "old a");
  EXPECT_EQ(read_file(folder / "c", 100), "old c");
}

}  // namespace
}  // namespace ink
