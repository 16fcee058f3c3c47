// Writing, verifying, falling back and cleaning up checkpoint folders.
#include "autograd/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>
#include <vector>

#include "autograd/checksum.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kFormat = 1;
constexpr std::string_view kPrefix = "checkpoint-", kPartial = ".partial", kDamaged = ".damaged",
                           kReplaced = ".replaced";
constexpr const char *kState = "trainer.json", *kManifest = "manifest.json";
constexpr size_t kLongestJson = size_t{1} << 28;

std::string name_of_step(int64_t step) {
  std::string digits = std::to_string(step);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  return std::string(kPrefix) + digits;
}

// The step that a folder's name states, or −1.
int64_t step_of_name(const std::string& name) {
  if (!name.starts_with(kPrefix)) return -1;
  int64_t step = -1;
  const char* const end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, step);
  return parsed.ec == std::errc() && parsed.ptr == end && name == name_of_step(step) ? step : -1;
}

// Steps of the checkpoints in `root`, newest first.
std::vector<int64_t> steps_in(const fs::path& root) {
  std::vector<int64_t> steps;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, code)) {
    const int64_t step = step_of_name(entry.path().filename().string());
    if (step >= 0 && entry.is_directory(code)) steps.push_back(step);
  }
  check(!code, "checkpoints: cannot list ", root.string(), ": ", code.message());
  std::ranges::sort(steps, std::greater());
  return steps;
}

std::string checksum_of(const fs::path& file) {
  const auto mapped = MappedFile::open(file);
  return checksum_text({mapped->data(), mapped->size()});
}

Json manifest_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    files.push_back(entry.path());
  std::ranges::sort(files);
  Json list = Json::make_array();
  for (const fs::path& file : files) {
    list.append(Json::make_object({{"name", file.filename().string()},
                                   {"bytes", fs::file_size(file)},
                                   {"checksum", checksum_of(file)}}));
  }
  return Json::make_object({{"format", kFormat}, {"files", std::move(list)}});
}

// Raises Error unless every byte of the checkpoint is as it was written.
Json verified_state(const fs::path& folder) {
  const fs::path path = folder / kManifest;
  const Json manifest = parse_json(read_file(path, kLongestJson), path.string());
  check(manifest.integer("format") == kFormat, "", path.string(), ": expected format ", kFormat,
        ", got ", manifest.integer("format"));
  for (const Json& file : manifest.array("files").items()) {
    const std::string& name = file.string("name");
    check(!name.empty() && name != ".." && name.find('/') == std::string::npos, "", path.string(),
          ": expected a plain file name, got \"", name, '"');
    const auto stated = file.integer_between("bytes", 0, INT64_MAX);
    std::error_code code;
    const uintmax_t size = fs::file_size(folder / name, code);
    check(!code, "", name, ": ", code.message());
    check(size == static_cast<uintmax_t>(stated), "", name, ": expected ", stated, " bytes, found ",
          size);
    check(checksum_of(folder / name) == file.string("checksum"), "", name,
          ": its bytes are not those that were written");
  }
  return parse_json(read_file(folder / kState, kLongestJson), (folder / kState).string());
}

// Where a checkpoint waits, whole, while another of the same step takes its name.
fs::path replaced_name(const fs::path& folder) {
  return folder.parent_path() / ('.' + folder.filename().string() + std::string(kReplaced));
}

// Undoes a replacement that did not come to its end, or finishes it.
void settle(const fs::path& replaced) {
  std::string name = replaced.filename().string();
  name = name.substr(1, name.size() - 1 - kReplaced.size());
  const fs::path folder = replaced.parent_path() / name;
  if (fs::exists(folder)) {
    fs::remove_all(replaced);
  } else {
    fs::rename(replaced, folder);
  }
}

// Takes the folder out of sight in one step, so that nobody sees half of it, then removes it.
void remove_folder(const fs::path& folder) {
  fs::path gone = folder.parent_path() / ('.' + folder.filename().string() + ".old");
  gone += kPartial;
  fs::remove_all(gone);
  fs::rename(folder, gone);
  fs::remove_all(gone);
}

// Keeps a damaged checkpoint for whoever wants to look at it, under a name that is not read again.
void set_aside(const fs::path& folder) {
  fs::path aside = folder;
  aside += kDamaged;
  std::error_code code;
  fs::remove_all(aside, code);
  fs::rename(folder, aside, code);
  check(!code, "checkpoints: cannot rename ", folder.string(), ": ", code.message());
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path root, int64_t keep, Notice notice)
    : root_(std::move(root)), keep_(keep), notice_(std::move(notice)) {
  check(keep_ >= 1, "checkpoints: expected to keep 1 or more, got ", keep_);
  if (!notice_) notice_ = [](const std::string&) {};
  create_folders(root_);
  std::optional<FileLock> lock = FileLock::without_waiting(root_);
  check(lock.has_value(), "checkpoints: another process is training in ", root_.string(),
        "; choose another folder or wait for it");
  lock_.emplace(std::move(*lock));
  remove_leftovers();
}

// Safe because of the lock: nobody else can be writing them.
void CheckpointFolder::remove_leftovers() const {
  try {
    std::vector<fs::path> partial, replaced;
    for (const fs::directory_entry& entry : fs::directory_iterator(root_)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with('.' + std::string(kPrefix))) continue;
      if (name.ends_with(kPartial)) partial.push_back(entry.path());
      if (name.ends_with(kReplaced)) replaced.push_back(entry.path());
    }
    for (const fs::path& each : partial) fs::remove_all(each);
    for (const fs::path& each : replaced) settle(each);
  } catch (const fs::filesystem_error& error) {
    fail("checkpoints: cannot clean up ", root_.string(), ": ", error.code().message());
  }
  remove_stale_temporaries(root_);
}

bool has_checkpoints(const fs::path& root) {
  return fs::is_directory(root) && !steps_in(root).empty();
}

void check_no_checkpoints(const fs::path& root) {
  check(!has_checkpoints(root), "training: ", root.string(),
        " holds checkpoints of an earlier run; go on with it (--resume), or choose another folder");
}

std::optional<CheckpointFolder::Found> CheckpointFolder::newest() const {
  std::vector<fs::path> damaged;
  for (const int64_t step : steps_in(root_)) {
    const fs::path folder = root_ / name_of_step(step);
    try {
      Json state = verified_state(folder);
      for (const fs::path& each : damaged) set_aside(each);
      return Found{folder, step, std::move(state)};
    } catch (const Error& error) {
      notice_(folder.filename().string() + " is damaged (" + error.message() +
              "); trying the one before");
      damaged.push_back(folder);
    }
  }
  check(damaged.empty(), "checkpoints: all ", damaged.size(), " in ", root_.string(),
        " are damaged; remove them to start anew");
  return std::nullopt;
}

void CheckpointFolder::write(int64_t step, const Json& state,
                             const std::function<void(const fs::path&)>& write_files) const {
  const fs::path folder = root_ / name_of_step(step);
  const fs::path replaced = replaced_name(folder);
  fs::path partial = root_ / ('.' + name_of_step(step));
  partial += kPartial;
  try {
    fs::remove_all(partial);
    create_folders(partial);
    write_files(partial);
    write_file(partial / kState, state.to_string(2) + '\n');
    write_file(partial / kManifest, manifest_of(partial).to_string(2) + '\n');
    sync_folder(partial);
    if (fs::exists(folder)) {
      fs::remove_all(replaced);
      fs::rename(folder, replaced);
    }
    fs::rename(partial, folder);
    sync_folder(root_);
    fs::remove_all(replaced);
  } catch (const std::exception& error) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    if (!fs::exists(folder)) fs::rename(replaced, folder, ignored);
    const auto* known = dynamic_cast<const Error*>(&error);
    fail("cannot write the checkpoint of step ", step,
         steps_in(root_).empty() ? ": " : " (earlier ones are intact): ",
         known ? known->message() : std::string(error.what()));
  }
  remove_old();
}

void CheckpointFolder::remove_old() const {
  const std::vector<int64_t> steps = steps_in(root_);
  for (size_t i = static_cast<size_t>(keep_); i < steps.size(); ++i) {
    const fs::path folder = root_ / name_of_step(steps[i]);
    try {
      remove_folder(folder);
    } catch (const fs::filesystem_error& error) {
      notice_("cannot remove the old " + folder.filename().string() + ": " +
              error.code().message());
    }
  }
}

}  // namespace ink
