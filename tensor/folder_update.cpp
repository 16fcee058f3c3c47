// Staging, deciding, and finishing updates of a folder.
#include "tensor/folder_update.h"

#include <sstream>

#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr const char *kStaged = ".saving.part", *kDecided = ".saving", *kList = ".list";
constexpr size_t kLongestList = size_t{1} << 20;

void move_file(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::rename(from, to, code);
  check(!code, "cannot move ", from.string(), " to ", to.string(), ": ", code.message());
}

// The folders that create_folders(folder) would make, the innermost first.
std::vector<fs::path> absent_folders(fs::path folder) {
  std::vector<fs::path> absent;
  std::error_code ignored;
  for (; !folder.empty() && !fs::exists(folder, ignored); folder = folder.parent_path())
    absent.push_back(folder);
  return absent;
}

FileLock created_and_locked(const fs::path& folder) {
  create_folders(folder);
  return FileLock::wait(folder);
}

// What the list names, sign and name on each line: - obsolete, + new.
void finish_locked(const fs::path& folder) {
  const fs::path decided = folder / kDecided;
  if (!fs::exists(decided)) return;
  std::istringstream list(read_file(decided / kList, kLongestList));
  for (std::string line; std::getline(list, line);) {
    const fs::path name = fs::path(line.substr(1)).filename();
    std::error_code ignored;
    if (line[0] == '-') fs::remove(folder / name, ignored);
    if (line[0] == '+' && fs::exists(decided / name)) move_file(decided / name, folder / name);
  }
  sync_folder(folder);
  fs::remove_all(decided);
  sync_folder(folder);
}

}  // namespace

FolderUpdate::FolderUpdate(fs::path folder)
    : folder_(std::move(folder)),
      staging_(folder_ / kStaged),
      made_(absent_folders(folder_)),
      lock_(created_and_locked(folder_)) {
  finish_locked(folder_);
  remove_stale_temporaries(folder_);
  fs::remove_all(staging_);
  create_folders(staging_);
}

FolderUpdate::~FolderUpdate() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  for (const fs::path& each : made_) fs::remove(each, ignored);  // those that are empty
}

void FolderUpdate::commit(const std::vector<std::string>& obsolete) {
  std::string list;
  for (const std::string& name : obsolete)
    if (!fs::exists(staging_ / name) && fs::exists(folder_ / name)) list += '-' + name + '\n';
  for (const fs::directory_entry& file : fs::directory_iterator(staging_)) {
    const fs::path name = file.path().filename();
    check(!fs::is_directory(folder_ / name), "cannot write ", (folder_ / name).string(),
          ": there is a folder of that name");
    list += '+' + name.string() + '\n';
  }
  write_file(staging_ / kList, list);
  sync_folder(staging_);
  move_file(staging_, folder_ / kDecided);
  sync_folder(folder_);
  finish_locked(folder_);
}

void finish_update(const fs::path& folder) {
  if (!fs::exists(folder / kDecided)) return;
  const FileLock lock = FileLock::wait(folder);
  finish_locked(folder);
}

}  // namespace ink
