// The loop: micro-batches → gradient sums → clip → optimizer → log, evaluation, checkpoint.
#include "autograd/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "autograd/training.h"
#include "tensor/error.h"

namespace ink {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

[[noreturn]] void fail_loss(int64_t step, const MicroResult& micro) {
  fail("training: the loss of step ", step, " is ", micro.loss, " (micro-batch ", micro.number,
       "); lower the learning rate or look at the data of this step");
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Training::Training(Parameters& parameters, Optimizer& optimizer, const Schedule& schedule,
                   const TrainerOptions& options, const TrainingHooks& hooks)
    : parameters_(parameters),
      optimizer_(optimizer),
      schedule_(schedule),
      options_(options),
      hooks_(hooks),
      processes_(options.processes ? *options.processes : alone()),
      sum_(parameters) {
  check(static_cast<bool>(hooks_.loss), "training: expected a loss function");
  check(options_.steps >= 0 && options_.accumulate >= 1 && options_.log_every >= 1,
        "training: expected steps ≥ 0, accumulate ≥ 1 and log_every ≥ 1, got ", options_.steps,
        ", ", options_.accumulate, " and ", options_.log_every);
  check(options_.accumulate >= processes_.size(), "training: ", processes_.size(),
        " processes share the micro-batches of a step; expected accumulate of ", processes_.size(),
        " or more, got ", options_.accumulate,
        "; raise it (and lower the size of a micro-batch), or start fewer processes");
  check(options_.clip_norm >= 0, "training: expected a clip_norm of 0 or more, got ",
        options_.clip_norm);
  check(std::ranges::is_sorted(options_.milestones) && options_.early_stop >= 0 &&
            options_.keep_best >= 0,
        "training: expected milestones in ascending order, early_stop ≥ 0 and keep_best ≥ 0");
  check(options_.keep_best == 0 || (hooks_.keep && hooks_.drop),
        "training: expected the hooks keep and drop with keep_best");
  parameters_.own();
  if (options_.graphs) make_graphs();
}

void Training::make_graphs() {
  const auto say = [this](const std::string& sentence) { notice(sentence); };
  if (!optimizer_.control() || !hooks_.replayable.loss)
    return say("steps are not replayed as CUDA graphs: " +
               std::string(optimizer_.control()
                               ? "this training knows no loss that can be replayed"
                               : "that takes --device cuda (parameters on the CUDA device)"));
  graphs_ = std::make_unique<StepGraphs>(parameters_, optimizer_, hooks_.replayable,
                                         options_.accumulate > processes_.size(), say);
}

TrainingResult Training::run() {
  open_folder();
  check_same_everywhere();
  if (options_.accumulate > 1) data_ = data_state();
  bool stopped = false;
  result_.stopped_early = gives_up();
  while (result_.step < options_.steps && !stopped && !result_.stopped_early) {
    if (unsettled_++ == 0) unsettled_since_ = Clock::now();
    if (!take_step()) {
      stopped = true;
      settle();
      if (saves()) write_checkpoint();
      break;
    }
    if (settles_now()) settle();
    report();
    if (evaluates_now()) evaluate();
    result_.stopped_early = result_.step < options_.steps && gives_up();
    stopped =
        any(processes_, asked_to_stop()) && result_.step < options_.steps && !result_.stopped_early;
    const bool saving = saves_now() || (saves() && (stopped || result_.stopped_early));
    if (saving || options_.accumulate > 1) data_ = data_state();
    if (stopped || saving) settle();
    if (saving) write_checkpoint();
  }
  if (result_.stopped_early)
    notice("ended after step " + std::to_string(result_.step) + ", the last " +
           std::to_string(stale_) + " evaluations having been no better than the best before");
  result_.status = stopped ? TrainingResult::Status::interrupted : TrainingResult::Status::finished;
  result_.seconds = seconds_since(start_);
  if (graphs_) result_.replayed = graphs_->replayed();
  return result_;
}

// The first process evaluates, and so knows it.
bool Training::gives_up() {
  return options_.early_stop > 0 && any(processes_, stale_ >= options_.early_stop);
}

double Training::seconds() const { return earlier_seconds_ + seconds_since(start_); }

// False when it was asked to stop before the step was whole: nothing has changed then.
bool Training::take_step() {
  const int64_t step = result_.step;
  const std::vector<Tensor> untrained = untrained_values();
  std::optional<std::vector<MicroResult>> micro_batches = accumulate();
  if (!micro_batches) {
    put_back(untrained);
    return false;
  }
  learning_rate_ = schedule_.at(step);
  StepControl* const control = optimizer_.control();
  DoneStep done{.step = step + 1, .micro_batches = std::move(*micro_batches)};
  if (control) {
    optimizer_.step(parameters_, sum_.gradients(),
                    {.learning_rate = learning_rate_,
                     .share = 1 / sum_.weight(),
                     .longest = options_.clip_norm},
                    deferred_.losses());
  } else {
    done.record.norm = norm_of_sum(step + 1);
    optimizer_.step(parameters_, sum_.gradients(), learning_rate_,
                    clip_factor(done.record.norm, options_.clip_norm) / sum_.weight());
  }
  sum_.clear();
  if (defers()) {
    deferred_.close(step + 1, *control);
  } else {
    if (control) done.record = control->read();
    conclude(done);
  }
  ++result_.step;
  return true;
}

// What the loss keeps in parameters.
std::vector<Tensor> Training::untrained_values() const {
  std::vector<Tensor> values;
  for (const Parameter& p : parameters_)
    if (!p.trainable) values.push_back(p.value);
  return values;
}

void Training::put_back(const std::vector<Tensor>& untrained) {
  auto value = untrained.begin();
  for (Parameter& p : parameters_)
    if (!p.trainable) p.value = *value++;
}

double Training::norm_of_sum(int64_t step) const {
  try {
    return sum_.norm(parameters_);
  } catch (const Error& error) {
    fail("training: step ", step, ": ", error.message());
  }
}

// Takes what is known of a step into account.
void Training::conclude(const DoneStep& done) {
  check_finite(done);
  Means means;
  for (const MicroResult& micro : done.micro_batches) {
    if (micro.weight == 0) continue;
    means.add("loss", micro.loss, micro.weight);
    means.add(micro.metrics, micro.weight);
  }
  const Metrics values = means.values();
  result_.loss = values.front().second;
  window_.add(values, 1);
  gradient_norm_ = done.record.norm;
  loss_scale_ = done.loss_scale;
}

// A halted device has left parameters and optimizer as they were before this step.
void Training::check_finite(const DoneStep& done) const {
  if (done.record.verdict != Verdict::halted) return;
  optimizer_.control()->go_on();
  if (done.record.culprit < 0) {
    const MicroResult& micro = done.micro_batches[static_cast<size_t>(-1 - done.record.culprit)];
    fail_loss(done.step, micro);
  }
  const auto parameter = std::next(parameters_.begin(), done.record.culprit);
  fail("training: step ", done.step, ": ",
       not_finite(parameter == parameters_.end() ? "all parameters" : parameter->name));
}

// Reads what the device has computed meanwhile.
void Training::settle() {
  if (unsettled_ == 0) return;
  for (const DoneStep& done : deferred_.read()) conclude(done);
  const double pace = seconds_since(unsettled_since_) / static_cast<double>(unsettled_);
  smoothed_ = smoothed_ > 0 ? 0.95 * smoothed_ + 0.05 * pace : pace;
  unsettled_ = 0;
}

bool Training::settles_now() const {
  return !defers() || asked_to_stop() || is_due(options_.log_every) || evaluates_now() ||
         saves_now();
}

// Sums the gradients of the micro-batches: of this process's, then over all processes. Nothing:
// some process was asked to stop on the way.
std::optional<std::vector<MicroResult>> Training::accumulate() {
  const int64_t step = result_.step;
  const Random random = Random(options_.seed).split("steps").split(static_cast<uint64_t>(step));
  sum_.clear();
  deferred_.drop();
  std::vector<MicroResult> mine;
  double unit = 0;
  bool whole = true;
  for (int64_t i = processes_.rank(); i < options_.accumulate && whole; i += processes_.size()) {
    if (!mine.empty() && asked_to_stop())
      whole = false;
    else
      mine.push_back(compute(i, random.split(static_cast<uint64_t>(i)), unit));
  }
  std::optional<std::vector<MicroResult>> all = share_results(processes_, mine, whole);
  if (!all) return std::nullopt;

  step_tokens_ = 0;
  double first_weight = 0;
  for (const MicroResult& micro : *all) {
    step_tokens_ += micro.tokens;
    if (first_weight == 0) first_weight = micro.weight;
  }
  check(first_weight > 0, "training: nothing in step ", step + 1,
        " counts: the weights of all its micro-batches are 0");
  exchange(*all, unit / first_weight);
  return all;
}

// Gradients, and what the devices know of losses and metrics.
void Training::exchange(const std::vector<MicroResult>& all, double unit) {
  if (!defers() || processes_.size() == 1) return sum_.sum_over(processes_, parameters_, unit);
  std::vector<Tensor> numbers = deferred_.numbers_among(all);
  sum_.sum_over(processes_, parameters_, unit, numbers);
  deferred_.replace(all, numbers);
}

MicroResult Training::compute(int64_t number, const Random& random, double& unit) {
  const int64_t micro_batch = result_.step * options_.accumulate + number;
  if (graphs_) {
    if (std::optional<Learned> learned = graphs_->learn(micro_batch, random)) {
      MicroResult result = noted(number, learned->micro);
      add(std::move(learned->gradients), result.weight, unit);
      return result;
    }
  }
  Tape tape;
  tape.watch(parameters_);
  MicroLoss micro = hooks_.loss(micro_batch, random);
  MicroResult result = noted(number, micro);
  if (micro.weight > 0)
    add(tape.backward(micro.loss, optimizer_.loss_scale(), parameters_), micro.weight, unit);
  return result;
}

// What is known of a micro-batch; its loss is read now or later.
MicroResult Training::noted(int64_t number, const MicroLoss& micro) {
  const int64_t step = result_.step;
  MicroResult result{number, 0, micro.weight, micro.tokens, micro.metrics};
  if (defers()) {
    deferred_.add(result, micro.loss, micro.measures);
  } else {
    result.loss = micro.loss.item();
    for (const Measure& m : micro.measures)
      result.metrics.emplace_back(m.name, m.factor * m.value.item());
    if (!std::isfinite(result.loss)) fail_loss(step + 1, result);
  }
  check(micro.weight >= 0 && std::isfinite(micro.weight), "training: expected a weight ≥ 0, got ",
        micro.weight, " in step ", step + 1);
  return result;
}

// Weights are taken relative to the first, `unit`, so that equal ones multiply by exactly 1.
void Training::add(std::vector<Tensor> gradients, double weight, double& unit) {
  if (weight == 0) return;
  if (unit == 0) unit = weight;
  sum_.add(parameters_, std::move(gradients), weight / unit);
}

// ── what is said about it ───────────────────────────────────────────────────────────────────────

// Log and progress of the step just done.
void Training::report() {
  tokens_ += step_tokens_;
  window_tokens_ += step_tokens_;
  if (is_due(options_.log_every)) {
    if (log_) write_log_line();
    window_.clear();
    window_tokens_ = 0;
    window_start_ = seconds();
  }
  if (hooks_.progress && processes_.is_first()) {
    const double rate = smoothed_ > 0 ? static_cast<double>(step_tokens_) / smoothed_ : 0;
    const auto left = static_cast<double>(options_.steps - result_.step);
    hooks_.progress({result_.step, options_.steps, result_.loss, learning_rate_, gradient_norm_,
                     rate, left * smoothed_});
  }
}

void Training::write_log_line() {
  const double now = seconds(), window_seconds = std::max(now - window_start_, 1e-9);
  Json line = Json::make_object({{"step", result_.step}});
  for (const auto& [name, value] : window_.values()) line.set(name, finite_or_null(value));
  line.set("learning_rate", learning_rate_);
  line.set("gradient_norm", finite_or_null(gradient_norm_));
  if (optimizer_.loss_scale()) line.set("loss_scale", loss_scale_);
  line.set("tokens", tokens_);
  line.set("seconds", now);
  line.set("tokens_per_second",
           finite_or_null(static_cast<double>(window_tokens_) / window_seconds));
  Json values = line;
  values.erase("step");
  append(line, "training/", values);
}

// A line of the log, and its values under "tags…" in the event file.
void Training::append(const Json& line, const char* tags, const Json& values) {
  log_->append(line);
  if (!events_) return;
  EventFile::Values tagged;
  for (const auto& [name, value] : metrics_from(values)) tagged.emplace_back(tags + name, value);
  events_->add(result_.step, tagged, seconds_since_1970());
}

void Training::evaluate() {
  if (!hooks_.evaluate || !processes_.is_first()) return;
  {
    const Pause pause;
    result_.last = hooks_.evaluate(result_.step);
  }
  if (log_) {
    Json values = to_json(result_.last.metrics);
    Json line = Json::make_object({{"step", result_.step}, {"evaluation", values}});
    line.set("score", finite_or_null(result_.last.score));
    append(line, "evaluation/", values.set("score", line["score"]));
  }
  // A number beats NaN, which no comparison would.
  const bool beats_nan = std::isnan(result_.best.score) && !std::isnan(result_.last.score);
  const bool is_best =
      result_.best_step < 0 || beats_nan || result_.last.score > result_.best.score;
  ++stale_;
  if (is_best) {
    stale_ = 0;
    result_.best = result_.last;
    result_.best_step = result_.step;
    if (hooks_.keep_best) hooks_.keep_best(result_.step, result_.best);
  }
  keep_if_among_best();
}

void Training::keep_if_among_best() {
  const double score = std::isnan(result_.last.score) ? -std::numeric_limits<double>::infinity()
                                                      : result_.last.score;
  const auto place = std::ranges::find_if(kept_, [&](const Kept& k) { return k.score < score; });
  if (place - kept_.begin() >= options_.keep_best) return;
  kept_.insert(place, {result_.step, score});
  hooks_.keep(result_.step, result_.last);
  if (std::ssize(kept_) > options_.keep_best) {
    unkept_.push_back(kept_.back().step);
    kept_.pop_back();
  }
  if (!saves()) drop_others();
}

// Not before a checkpoint knows of it: a run that is resumed from the one before wants them still.
void Training::drop_others() {
  for (const int64_t step : unkept_) hooks_.drop(step);
  unkept_.clear();
}

TrainingResult train(Parameters& parameters, Optimizer& optimizer, const Schedule& schedule,
                     const TrainerOptions& options, const TrainingHooks& hooks) {
  return Training(parameters, optimizer, schedule, options, hooks).run();
}

}  // namespace ink
