// The job: data on its own thread → model → losses → the training loop → model folders.
#include "objectives/pretrain.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "autograd/checkpoint.h"
#include "autograd/tape.h"
#include "nn/fingerprint.h"
#include "nn/model_folder.h"
#include "nn/parameter_count.h"
#include "nn/replay.h"
#include "objectives/full_sentences.h"
#include "objectives/pretrain_stages.h"
#include "objectives/text_sample.h"
#include "objectives/tokenize.h"
#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "text/prefetch.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A step's micro-batches are all there before it begins, as its means are over all of them.
constexpr int64_t kMostStepTokens = int64_t{1} << 25;
// Tokens that may be prepared ahead of the model, in whole steps.
constexpr int64_t kTokensAhead = int64_t{1} << 20;

using Count = int64_t PretrainCounts::*;
constexpr std::array<Count, 3> kCounts = {&PretrainCounts::tokens, &PretrainCounts::predictions,
                                          &PretrainCounts::pairs};

// How many rows differs a little from batch to batch of the same lengths. On the CUDA device it is
// filled up to a multiple of this, whether steps are recorded or not, so that both sum alike.
constexpr int64_t kRows = 16, kFilledRows = 64;  // kFilledRows: with options.fill

// The micro-batches of one step, and where the data stands behind them.
struct StepData {
  std::vector<PretrainBatch> micro_batches;
  Json next;
};

class Job {
 public:
  Job(const ModelConfig& config, const Tokenizer& tokenizer, const Segmenter* segmenter,
      const PretrainOptions& options, const PretrainCallbacks& callbacks)
      : tokenizer_(tokenizer),
        options_(options),
        callbacks_(callbacks),
        processes_(options.processes ? *options.processes : alone()),
        stages_(options),
        lesson_(options.lesson ? *options.lesson
                               : lesson_of(config, options.objective, options.start_from,
                                           [this](const std::string& text) { notice(text); })),
        model_(lesson_.model(Random(options.seed).split("weights"))),
        data_(options.corpus, tokenizer, segmenter, corruption_of(options.objective, tokenizer),
              data_options(options, stages_)),
        held_out_(processes_.is_first() ? data_.held_out() : std::vector<PretrainBatch>()) {
    check_text(segmenter);
    made_of_ = Json::make_object({{"job", "pretrain"},
                                  {"objective", fingerprint_of(options.objective)},
                                  {"stages", stages_.fingerprint()},
                                  {"data", data_.fingerprint()},
                                  {"architecture", fingerprint_of(model_.model.config)}});
    if (!lesson_.fingerprint.is_null()) made_of_.set("lesson", lesson_.fingerprint);
    if (options.fill) made_of_.set("fill", true);
  }

  PretrainResult run();

 private:
  static PretrainDataOptions data_options(const PretrainOptions& o, const PretrainStages& stages) {
    return {.max_tokens = stages.last_length(),
            .batch_tokens = o.batch_tokens,
            .pair_task = o.objective.pair_task,
            .short_probability = o.short_probability,
            .duplicates = o.duplicates,
            .block_bytes = o.block_bytes,
            .held_out = o.held_out,
            .held_out_tokens = o.held_out_tokens,
            .seed = pretrain_data_seed(o.seed)};
  }
  void check_text(const Segmenter* segmenter);
  TrainerOptions trainer_options() const;
  TrainingHooks hooks();
  const PretrainBatch& batch_of(int64_t micro_batch);
  MicroLoss known_of(int64_t micro_batch);
  std::vector<LossTerm> terms_of(const PretrainBatch& batch, const Random& random, int64_t step);
  void fill(PretrainBatch& batch);
  double share_of(const PretrainBatch& batch, Count count) const;
  MicroLoss loss(int64_t micro_batch, const Random& random);
  MicroInputs inputs(int64_t micro_batch);
  MicroLoss loss_of_inputs(const MicroInputs& inputs, const Random& random);
  int64_t step_tokens() const { return options_.batch_tokens * options_.accumulate; }
  int64_t steps_ahead() const { return std::clamp<int64_t>(kTokensAhead / step_tokens(), 1, 4); }
  void take_step_data();
  void restore(const Json& state);
  void say_missed_steps() const;
  void save(const fs::path& folder) { lesson_.save(model_, tokenizer_, folder); }
  void save_if_asked(int64_t step);
  void notice(const std::string& sentence) const {
    if (callbacks_.notice && processes_.is_first()) callbacks_.notice(sentence);
  }

  const Tokenizer& tokenizer_;
  const PretrainOptions& options_;
  const PretrainCallbacks& callbacks_;
  Communicator& processes_;
  const PretrainStages stages_;
  const Lesson lesson_;
  PretrainModel model_;
  PretrainData data_;  // used by the thread of ahead_ once that runs
  std::vector<PretrainBatch> held_out_;
  std::optional<StepData> current_;
  PretrainCounts counts_;                 // of current_
  std::map<std::string, Count> counted_;  // what each loss so far is a mean over
  int64_t step_ = 0;                      // steps begun
  bool says_unfilled_ = false;
  Json made_of_;
  double waited_ = 0;
  std::unique_ptr<Prefetch<StepData>> ahead_;  // last: its thread ends first
};

// What the text itself makes impossible, and what is worth knowing of it.
void Job::check_text(const Segmenter* segmenter) {
  constexpr int64_t kSampleTokens = 1 << 16;
  const auto tokens = data_.tokens_of_one_block();
  check(!tokens || *tokens >= options_.batch_tokens, "pre-training: the text has ",
        tokens.value_or(0), " tokens to train on, fewer than the ", options_.batch_tokens,
        " of one batch; expected more text, or batch_tokens of at most that");
  if (tokens && *tokens < step_tokens())
    notice("a step reads the text more than once: it has " + std::to_string(*tokens) +
           " tokens to train on, and a step " + std::to_string(step_tokens()));
  const Objective& o = options_.objective;
  const bool words = segmenter && o.select.whole_words, mac = o.task == TokenTask::mac;
  const std::vector<TokenDocument> sample = data_.sample(kSampleTokens);
  const std::string unknown = check_known(sample, tokenizer_.vocabulary());
  if (!unknown.empty()) notice(unknown);
  if (words) check_segmented(sample, tokenizer_.vocabulary());
  if (mac) notice(coverage_notice(sample, *o.similar));
}

void Job::take_step_data() {
  if (!ahead_) {
    int64_t ahead_of = step_;
    ahead_ = std::make_unique<Prefetch<StepData>>(
        [this, ahead_of]() mutable -> std::optional<StepData> {
          data_.set_length(stages_.length_at(ahead_of++));
          StepData step;
          for (int64_t i = 0; i < options_.accumulate; ++i) {
            step.micro_batches.push_back(data_.next());
          }
          step.next = data_.position();
          return step;
        },
        static_cast<size_t>(steps_ahead()));
  }
  const Clock::time_point begin = Clock::now();
  current_ = ahead_->next();
  ++step_;
  waited_ += std::chrono::duration<double>(Clock::now() - begin).count();
  counts_ = {};
  for (PretrainBatch& batch : current_->micro_batches) {
    counts_ += batch.counts;
    fill(batch);
  }
}

// Of a batch that could be recorded and replayed for others, whether that is done or not.
void Job::fill(PretrainBatch& batch) {
  const std::string why_not = working_place().device != Device::cuda
                                  ? "they are not computed on the CUDA device"
                              : lesson_.obstacle ? lesson_.obstacle(model_, batch)
                                                 : "this lesson may ask something of every token";
  if (!why_not.empty()) {
    if (options_.fill && !std::exchange(says_unfilled_, true))
      notice("batches are not filled up: " + why_not);
    return;
  }
  batch = with_filled_rows(std::move(batch), options_.fill ? kFilledRows : kRows);
  if (options_.fill) batch = with_filled_inputs(std::move(batch), model_.model.config.longest());
}

const PretrainBatch& Job::batch_of(int64_t micro_batch) {
  if (micro_batch / options_.accumulate == step_) take_step_data();  // the first of a step here
  return current_->micro_batches[static_cast<size_t>(micro_batch % options_.accumulate)];
}

MicroLoss Job::known_of(int64_t micro_batch) {
  MicroLoss known{.tokens = batch_of(micro_batch).counts.tokens};
  if (stages_.size() > 1) {
    const int64_t length = stages_.length_at(micro_batch / options_.accumulate);
    known.metrics.emplace_back("max_tokens", static_cast<double>(length));
  }
  return known;
}

std::vector<LossTerm> Job::terms_of(const PretrainBatch& batch, const Random& random,
                                    int64_t step) {
  EncoderOptions encoder{.random = &random};
  if (options_.recompute) encoder.run_layer = recompute;
  model_.refresh();
  std::vector<LossTerm> terms =
      lesson_.losses(model_, batch, encoder, random.split("samples"), step);
  for (const LossTerm& term : terms) counted_.emplace(term.name, term.count);
  return terms;
}

// The trainer averages micro-batches evenly, so each contributes accumulate ·
// (its share of what the step counts) times its mean; then every loss is a
// mean over the whole step, as of one big batch.
double Job::share_of(const PretrainBatch& batch, Count count) const {
  return static_cast<double>(options_.accumulate * batch.counts.*count) /
         static_cast<double>(counts_.*count);
}

MicroLoss Job::loss(int64_t micro_batch, const Random& random) {
  const PretrainBatch& batch = batch_of(micro_batch);
  MicroLoss out = known_of(micro_batch);
  for (const LossTerm& term : terms_of(batch, random, micro_batch / options_.accumulate)) {
    const double share = share_of(batch, term.count);
    out.measures.push_back({term.name, term.mean, share});
    if (term.weight == 0) continue;
    const Tensor part = scale(term.mean, share * term.weight);
    out.loss = out.loss ? add(out.loss, part) : part;
  }
  return out;
}

// ── the same for recorded steps ─────────────────────────────────────────────────────────────────
// Shares are inputs too, one for each of kCounts. Which losses there are depends on whether there
// is anything to predict: whether there are pairs stands first in the structure.

MicroInputs Job::inputs(int64_t micro_batch) {
  const PretrainBatch& batch = batch_of(micro_batch);
  MicroInputs in{.tensors = tensors_of(batch.inputs),
                 .structure = structure_of(model_.model, batch.inputs),
                 .known = known_of(micro_batch),
                 .obstacle = lesson_.obstacle(model_, batch)};
  for (const auto& [name, count] : counted_)
    in.known.measures.push_back({name, {}, share_of(batch, count)});
  Tensor shares(Shape{std::ssize(kCounts)});
  for (size_t k = 0; k < kCounts.size(); ++k)
    shares.data<float>()[k] = static_cast<float>(share_of(batch, kCounts[k]));
  in.tensors.insert(in.tensors.end(), {batch.rows, batch.labels, batch.pair_labels, shares});
  in.structure.insert(in.structure.begin(), batch.counts.pairs > 0);
  return in;
}

MicroLoss Job::loss_of_inputs(const MicroInputs& inputs, const Random& random) {
  const Tensor* own = inputs.tensors.data() + kPackedTensors;
  const PretrainBatch batch{
      .inputs = packed_from(inputs.tensors),
      .rows = own[0],
      .labels = own[1],
      .pair_labels = own[2],
      .counts = {.predictions = own[0].size(), .pairs = inputs.structure.front()}};
  MicroLoss out;
  for (const LossTerm& term : terms_of(batch, random, 0)) {
    const auto k = std::ranges::find(kCounts, term.count) - kCounts.begin();
    check(term.weight == 1, "pre-training: expected a loss of weight 1, got ", term.weight);
    out.measures.push_back({term.name, term.mean, 1});
    const Tensor part = multiply(term.mean, view(own[3], {}, {}, k));
    out.loss = out.loss ? add(out.loss, part) : part;
  }
  return out;
}

// The trainer calls it on the first process, before the checkpoint of the same step: a resume has
// missed no model.
void Job::save_if_asked(int64_t step) {
  if (std::ranges::count(options_.save_at, step) == 0) return;
  model_.refresh();
  save(options_.out / ("step-" + std::to_string(step)));
}

TrainerOptions Job::trainer_options() const {
  return {.steps = options_.steps,
          .accumulate = options_.accumulate,
          .clip_norm = options_.clip_norm,
          .seed = options_.seed,
          .log_every = options_.log_every,
          .evaluate_every = options_.evaluate_every,
          .folder = options_.out / "training",
          .event_file = options_.event_file,
          .checkpoint_every = options_.checkpoint_every,
          .keep_checkpoints = options_.keep_checkpoints,
          .resume = options_.resume,
          .graphs = options_.graphs,
          .stop = options_.stop,
          .processes = options_.processes};
}

void Job::restore(const Json& state) {
  check_same_run(options_.out.string(), state.object("made_of"), made_of_);
  step_ = state.integer("step");
  check(step_ <= options_.steps, "resume: the run in ", options_.out.string(), " has done ", step_,
        " steps, got steps ", options_.steps, "; expected as many or more");
  say_missed_steps();
  data_.seek(state.object("position"));
}

// Steps of save_at that the run passed before it was asked to keep them.
void Job::say_missed_steps() const {
  std::string missed;
  for (const int64_t step : options_.save_at) {
    const bool kept = fs::exists(options_.out / ("step-" + std::to_string(step)) / "config.json");
    if (step <= step_ && !kept) missed += (missed.empty() ? "" : ", ") + std::to_string(step);
  }
  if (!missed.empty())
    notice("the run is already at step " + std::to_string(step_) +
           "; the model after these steps was not kept and will not be: " + missed);
}

TrainingHooks Job::hooks() {
  TrainingHooks h;
  h.loss = [this](int64_t micro_batch, const Random& random) { return loss(micro_batch, random); };
  if (lesson_.obstacle) {
    h.replayable = {
        .inputs = [this](int64_t micro_batch) { return inputs(micro_batch); },
        .loss = [this](const MicroInputs& inputs,
                       const Random& random) { return loss_of_inputs(inputs, random); }};
  }
  h.data_state = [this] {
    return Json::make_object({{"step", step_},
                              {"made_of", made_of_},
                              {"position", current_ ? current_->next : data_.position()}});
  };
  h.restore_data = [this](const Json& state) { restore(state); };
  if (!held_out_.empty()) {
    h.evaluate = [this](int64_t) {
      model_.refresh();
      return lesson_.evaluate(model_, held_out_);
    };
    h.keep_best = [this](int64_t, const Evaluation&) { save(options_.out / "best"); };
  }
  h.progress = [this](const Progress& progress) {
    save_if_asked(progress.step);
    if (callbacks_.progress) callbacks_.progress(progress);
  };
  h.notice = callbacks_.notice;
  return h;
}

PretrainResult Job::run() {
  if (held_out_.empty() && options_.held_out > 0) {
    notice("no document is held out: nothing is evaluated");
  }
  Optimizer optimizer(model_.parameters(), options_.optimizer);
  const Place place = training_place("pretrain");
  optimizer.place(model_.parameters(), place.device, place.dtype);
  const Schedule schedule{
      .peak = options_.learning_rate,
      .warmup = options_.warmup_steps < 0 ? options_.steps / 10 : options_.warmup_steps,
      .steps = options_.steps,
      .decay = options_.decay,
      .decay_from = options_.decay_from};
  // Of a run that is resumed too: nothing is restored yet.
  if (processes_.is_first()) save_if_asked(0);
  PretrainResult result;
  result.training = train(model_.parameters(), optimizer, schedule, trainer_options(), hooks());
  ahead_.reset();
  const bool finished = result.training.status == TrainingResult::Status::finished;
  if (finished && processes_.is_first()) save(options_.out);
  const Json position = current_ ? current_->next : data_.position();
  result.documents = data_.documents();
  result.epochs = position.integer("epoch") + 1;
  result.parameters = model_.parameters().elements();
  result.waited_for_data = waited_;
  return result;
}

void check_lengths(const PretrainStages& stages, const ModelConfig& config,
                   const PretrainOptions& o) {
  const bool pairs = o.objective.pair_task != PairTask::none;
  const int64_t least = pairs ? kShortestPair : kShortestSequence;
  check(stages.shortest() >= least, "pre-training: expected sequences of at least ", least,
        pairs ? " tokens for two texts" : " tokens", " with their special tokens, got ",
        stages.shortest());
  check(stages.longest() <= config.longest(), "pre-training: the model reads at most ",
        config.longest(), " tokens, got sequences of ", stages.longest());
  check(stages.longest() <= o.batch_tokens, "pre-training: expected batch_tokens of at ",
        "least the longest sequence, got ", o.batch_tokens, " and ", stages.longest());
}

}  // namespace

uint64_t pretrain_data_seed(uint64_t seed) { return Random(seed).split("data").seed(); }

void check_pretraining(const ModelConfig& config, const Tokenizer& tokenizer,
                       const PretrainOptions& o) {
  check(!o.corpus.empty(), "pre-training: expected text files or folders, got none");
  check(!o.out.empty(), "pre-training: expected a folder to write the model to");
  for (const int64_t step : o.save_at)
    check(step >= 0 && step <= o.steps, "pre-training: expected to save at steps from 0 to ",
          o.steps, ", got ", step);
  check(o.accumulate >= 1 && o.batch_tokens >= 1 &&
            o.accumulate <= kMostStepTokens / std::min(o.batch_tokens, kMostStepTokens),
        "pre-training: expected accumulate of 1 or more, and at most ", kMostStepTokens,
        " tokens in a step, got accumulate ", o.accumulate, " and batch_tokens ", o.batch_tokens);
  check(!o.recompute || o.objective.task != TokenTask::plm,
        "pre-training: the two streams of plm cannot be computed again; leave out recompute");
  check(!o.lesson || o.start_from.empty(),
        "pre-training: a lesson has a model of its own; expected no folder to start from");
  corruption_of(o.objective, tokenizer);
  const ModelConfig c =
      o.start_from.empty() ? config : ModelConfig::read(o.start_from / "config.json");
  c.check_vocabulary(tokenizer.vocabulary().size(), "pre-training");
  check_supported(o.objective, c);
  check(o.objective.task != TokenTask::plm || objective_tokens(tokenizer).cls_last,
        "pre-training: sequences of XLNet end with <cls>, those of this tokenizer begin with it; "
        "expected Tokenizer::with_class_last()");
  if (o.start_from.empty()) check_trainable_here(c, heads_of(o.objective));
  if (o.objective.task == TokenTask::rtd) generator_config(c, o.objective.generator_size);
  check_lengths(PretrainStages(o), c, o);
}

PretrainResult pretrain(const ModelConfig& config, const Tokenizer& tokenizer,
                        const Segmenter* segmenter, const PretrainOptions& options,
                        const PretrainCallbacks& callbacks) {
  check_pretraining(config, tokenizer, options);
  check_no_model("pre-training", options.out, true);
  if (!options.resume) check_no_checkpoints(options.out / "training");
  return Job(config, tokenizer, segmenter, options, callbacks).run();
}

}  // namespace ink
