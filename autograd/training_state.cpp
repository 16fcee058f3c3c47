// Where a run stands, in every process: settings, checkpoints, exact resume.
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/training.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"
#include "tensor/safetensors.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

constexpr const char *kModelFile = "model.safetensors", *kOptimizerFile = "optimizer.safetensors",
                     *kLogFile = "log.jsonl";

Json json_of(const Evaluation& e) {
  return Json::make_object({{"score", finite_or_null(e.score)}, {"metrics", to_json(e.metrics)}});
}

Evaluation evaluation_of(const Json& json) {
  return {.score = json.real("score", std::nan("")),
          .metrics = metrics_from(json.object("metrics"))};
}

std::string digest_of(const Parameters& parameters) {
  Digest digest;
  for (const Parameter& p : parameters) {
    digest.add(p.name);
    const Tensor value = to(p.value, Device::cpu);
    const size_t size = size_of(value.dtype());
    const auto* const bytes = static_cast<const char*>(value.storage()->data());
    digest.add(std::string_view(bytes + static_cast<size_t>(value.offset()) * size,
                                static_cast<size_t>(value.size()) * size));
  }
  return digest.to_string();
}

// A digest of the rates and decays that are not the optimizer's, if there are any.
std::optional<std::string> own_rates(const Parameters& parameters) {
  Digest digest;
  bool any = false;
  for (const Parameter& p : parameters) {
    if (p.rate == 1 && !p.weight_decay) continue;
    any = true;
    digest.add(p.name).add(std::bit_cast<uint64_t>(p.rate));
    if (p.weight_decay) digest.add(std::bit_cast<uint64_t>(*p.weight_decay));
  }
  return any ? std::optional(digest.to_string()) : std::nullopt;
}

}  // namespace

void Training::open_folder() {
  if (!saves()) return;
  if (processes_.is_first()) {
    checkpoints_.emplace(options_.folder, options_.keep_checkpoints,
                         [this](const std::string& sentence) { notice(sentence); });
    if (!options_.resume) check_no_checkpoints(options_.folder);
  }
  const auto found = find_checkpoint();
  uint64_t log_length = 0;
  if (found) {
    restore(*found);
    log_length = static_cast<uint64_t>(found->state.integer_between("log_length", 0, INT64_MAX));
    notice("resumed at step " + std::to_string(found->step));
  } else if (options_.resume) {
    notice("nothing to resume in " + options_.folder.string() + "; starting anew");
  }
  if (!processes_.is_first()) return;
  log_ = std::make_unique<TrainingLog>(options_.folder / kLogFile, log_length);
  if (!options_.event_file) return;
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  const fs::path& folder = options_.event_folder.empty() ? options_.folder : options_.event_folder;
  create_folders(folder);
  events_ = std::make_unique<EventFile>(folder, found ? found->step : -1, now.count());
}

// The first process looks for it, and tells the others.
std::optional<CheckpointFolder::Found> Training::find_checkpoint() {
  std::optional<CheckpointFolder::Found> found;
  if (checkpoints_) found = checkpoints_->newest();
  if (processes_.size() == 1) return found;
  Json message = Json::make_object();
  if (found) {
    message.set("folder", found->folder.string());
    message.set("step", found->step);
    message.set("state", found->state);
  }
  const Json told = parse_json(from_first(processes_, message.to_string()), "the first process");
  if (!told.has("folder")) return std::nullopt;
  return CheckpointFolder::Found{told.string("folder"), told.integer("step"), told.object("state")};
}

// Processes that hold something else would train something else, without a sign of it.
void Training::check_same_everywhere() const {
  if (processes_.size() == 1) return;
  Json mine = settings();
  mine.set("steps", options_.steps);
  mine.set("step", result_.step);
  if (hooks_.data_state) mine.set("data", hooks_.data_state());
  mine.set("parameters", digest_of(parameters_));
  const std::vector<std::string> texts = processes_.gather(mine.to_string());
  const Json first = parse_json(texts.front(), "process 0");
  for (size_t r = 1; r < texts.size(); ++r) {
    const Json other = parse_json(texts[r], "process " + std::to_string(r));
    if (const auto difference = first_difference(first, other)) {
      fail("training: process ", r, " has ", difference->name, ' ', difference->second,
           ", process 0 has ", difference->first,
           "; start all with the same options, files and version of inkstone");
    }
  }
}

// What a resumed run must have in common with the run before, for the same bits.
Json Training::settings() const {
  Json all = Json::make_object({{"seed", std::to_string(options_.seed)},
                                {"accumulate", options_.accumulate},
                                {"clip_norm", finite_or_null(options_.clip_norm)}});
  const Json optimizer = optimizer_.options().to_json(), schedule = schedule_.to_json();
  if (const auto own = own_rates(parameters_)) all.set("own_rates", *own);
  for (const Json* part : {&optimizer, &schedule}) {
    for (const auto& [name, value] : part->members()) all.set(name, value);
  }
  return all;
}

// With another number of steps the schedule is another too; the steps are what the user has named.
void Training::check_settings(const Json& state) const {
  const Json &was = state.object("settings"), expected = settings();
  const int64_t steps = state.integer("steps");
  for (const auto& [name, now] : expected.members()) {
    check(was.has(name), "training: the run in ", options_.folder.string(), " does not state its ",
          name);
    const std::string before = was[name].to_string();
    if (before == now.to_string()) continue;
    check(steps == options_.steps || (name != "warmup" && name != "schedule_steps"),
          "training: the run in ", options_.folder.string(), " is one of ", steps, " steps, got ",
          options_.steps, ", with which its ", name, " would be ", now.to_string(), " rather than ",
          before, "; resume with the same number of steps or choose another folder");
    fail("training: the run in ", options_.folder.string(), " has ", name, ' ', before, ", got ",
         now.to_string(), "; resume with the same settings or choose another folder");
  }
  for (const auto& [name, before] : was.members())
    check(expected.has(name), "training: the run in ", options_.folder.string(), " has ", name, ' ',
          before.to_string(), ", got none; resume with the same settings or choose another folder");
}

void Training::write_checkpoint() {
  check_same_everywhere();
  if (!processes_.is_first()) return;
  log_->sync();
  Json state = Json::make_object({{"step", result_.step},
                                  {"steps", options_.steps},
                                  {"settings", settings()},
                                  {"tokens", tokens_},
                                  {"seconds", seconds()},
                                  {"log_length", log_->length()},
                                  {"loss", result_.loss},
                                  {"window", window_.to_json()},
                                  {"window_tokens", window_tokens_},
                                  {"window_start", window_start_}});
  if (result_.best_step >= 0) {
    state.set("last", json_of(result_.last));
    state.set("best", json_of(result_.best));
    state.set("best_step", result_.best_step);
    state.set("stale", stale_);
  }
  if (options_.keep_best > 0) {
    Json kept = Json::make_array(), unkept = Json::make_array();
    for (const Kept& k : kept_) kept.append(Json::make_array({k.step, finite_or_null(k.score)}));
    for (const int64_t step : unkept_) unkept.append(step);
    state.set("kept", kept).set("unkept", unkept);
  }
  if (hooks_.data_state) state.set("data", data_);
  checkpoints_->write(result_.step, state, [&](const fs::path& folder) {
    std::vector<NamedTensor> values;
    for (const Parameter& p : parameters_) values.push_back({p.name, p.value});
    write_safetensors(folder / kModelFile, values);
    optimizer_.save(folder / kOptimizerFile);
  });
  drop_others();
}

void Training::restore(const CheckpointFolder::Found& found) {
  const Json& state = found.state;
  // First: what made the data also makes the settings, and is what the user knows by name.
  if (hooks_.restore_data) hooks_.restore_data(state["data"]);
  check_settings(state);
  const SafeTensors model(found.folder / kModelFile);
  for (const Parameter& p : parameters_) {  // all checks before the first write
    const SafeTensors::Entry* entry = model.find(p.name);
    check(entry && entry->shape == p.value.shape() && entry->dtype == p.value.dtype(),
          "training: ", found.folder.string(), " is of another model: expected ", p.name, ' ',
          p.value.shape(), " of ", name_of(p.value.dtype()));
  }
  check(model.entries().size() == parameters_.size(), "training: ", found.folder.string(),
        " is of another model: expected ", parameters_.size(), " parameters, found ",
        model.entries().size());
  optimizer_.load(found.folder / kOptimizerFile);
  for (Parameter& p : parameters_) copy_into(p.value, model.tensor(p.name));

  result_.step = found.step;
  result_.loss = state.real("loss");
  tokens_ = state.integer("tokens");
  earlier_seconds_ = state.real("seconds");
  window_.restore(state.array("window"));
  window_tokens_ = state.integer("window_tokens");
  window_start_ = state.real("window_start");
  if (state.has("best_step")) {
    result_.last = evaluation_of(state.object("last"));
    result_.best = evaluation_of(state.object("best"));
    result_.best_step = state.integer("best_step");
    if (state.has("stale")) stale_ = state.integer("stale");
  }
  if (options_.keep_best > 0 && state.has("kept")) restore_kept(state);
}

void Training::restore_kept(const Json& state) {
  for (const Json& one : state.array("kept").items()) {
    const double score =
        one.items()[1].is_null() ? -std::numeric_limits<double>::infinity() : one.real(size_t{1});
    kept_.push_back({one.integer_between(0, 0, INT64_MAX), score});
  }
  const Json& unkept = state.array("unkept");
  for (size_t i = 0; i < unkept.size(); ++i)
    unkept_.push_back(unkept.integer_between(i, 0, INT64_MAX));
  if (processes_.is_first()) drop_others();
}

}  // namespace ink
