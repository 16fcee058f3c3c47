// Turning the name of a model into a folder, with its download shown on stderr.
#include "cli/model_option.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>

#include "cli/format.h"
#include "cli/terminal.h"
#include "nn/hub_cache.h"

namespace ink::cli {
namespace {

struct Options {
  bool offline = false;
  std::string revision = "main";
};

std::string in_megabytes(uint64_t bytes) {
  constexpr double kMegabyte = 1e6;
  return formatted("%.1f", static_cast<double>(bytes) / kMegabyte);
}

// A line that moves on a terminal, otherwise one line for each file.
class DownloadDisplay {
 public:
  ~DownloadDisplay() {
    if (drawn_) std::fputc('\n', stderr);
  }
  void show(const HubProgress& p) {
    const bool new_file = p.file != file_;
    file_ = p.file;
    const std::string size = p.total > 0 ? in_megabytes(p.total) + " MB" : "";
    if (!terminal_) {
      if (new_file) notice("fetching " + p.file + (size.empty() ? "" : ", " + size));
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now < next_ && p.done != p.total && !new_file) return;
    constexpr std::chrono::milliseconds kPause{100};
    next_ = now + kPause;
    if (new_file && drawn_) std::fputc('\n', stderr);
    std::fprintf(stderr, "\r\033[Kinkstone: fetching %s  %s / %s", p.file.c_str(),
                 in_megabytes(p.done).c_str(), size.c_str());
    std::fflush(stderr);
    drawn_ = true;
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) == 1, drawn_ = false;
  std::string file_;
  std::chrono::steady_clock::time_point next_;
};

// A bare name was often meant as a folder. That there is none is said before the hub is waited for.
void say_absent_folder(const std::string& model, const Options& options) {
  std::error_code ignored;
  const bool bare = model.find('/') == std::string::npos && is_model_name(model);
  if (!bare || options.offline || std::filesystem::exists(model, ignored)) return;
  const HubOptions hub = with_environment({.revision = options.revision});
  if (hub.offline || ModelCache(hub.cache, model).commit_of(hub.revision)) return;
  notice("there is no folder " + model + "; looking for a model of that name at " + hub.endpoint);
}

std::string folder_of(const std::string& model, const Options& options) {
  say_absent_folder(model, options);
  DownloadDisplay display;
  return resolve_model(model, {.offline = options.offline,
                               .revision = options.revision,
                               .progress = [&](const HubProgress& p) { display.show(p); }});
}

// `find` turns names into folders.
Action with_folders(Command& command, const std::function<void(const Options& options)>& find,
                    Action action) {
  auto options = std::make_shared<Options>();
  command.section("Models by name");
  command.flag("--offline", options->offline,
               "never download: take a named model from the cache alone");
  command.text("--revision", options->revision, "branch, tag or commit of a named model");
  command.tries([find, options] { find(*options); });
  return [find, options, action = std::move(action)] {
    find(*options);
    return action();
  };
}

}  // namespace

Action with_model(Command& command, std::string& model, Action action) {
  const auto find = [&model](const Options& options) {
    if (!model.empty()) model = folder_of(model, options);
  };
  return with_folders(command, find, std::move(action));
}

Action with_models(Command& command, std::vector<std::string>& models, Action action) {
  const auto find = [&models](const Options& options) {
    for (std::string& model : models) model = folder_of(model, options);
  };
  return with_folders(command, find, std::move(action));
}

}  // namespace ink::cli
