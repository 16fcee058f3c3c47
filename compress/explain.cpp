// What a distillation will do, in words and as JSON.
#include "compress/explain.h"

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <sstream>

namespace ink {
namespace {

// "6 layers of 768 channels, 12 heads, width 3072"; lists where layers differ.
std::string sizes_of(const ModelConfig& c) {
  const auto all = [](const std::vector<int64_t>& sizes) {
    std::string text;
    const bool even =
        std::ranges::count(sizes, sizes.empty() ? 0 : sizes.front()) == std::ssize(sizes);
    for (size_t i = 0; i < (even ? std::min<size_t>(1, sizes.size()) : sizes.size()); ++i)
      text += (i ? " " : "") + std::to_string(sizes[i]);
    return text;
  };
  std::ostringstream text;
  text << c.family->model_type << ", " << c.layers() << (c.layers() == 1 ? " layer" : " layers")
       << " of " << c.hidden_size << " channels, ";
  if (c.family->keys.heads) text << all(c.heads_per_layer) << " heads, ";
  text << "width " << all(c.ffn_per_layer);
  return text.str();
}

std::string start_of(const DistillPlan& plan) {
  using From = TeacherInit::From;
  const StudentOptions& from = plan.from;
  if (!from.folder.empty()) return "the weights of its folder";
  if (!from.layers_from_teacher.empty()) return "the teacher with these of its layers";
  const From init = init_of(from).from;
  if (init == From::nothing) return "random weights";
  const int64_t own = plan.student.embedding_channels(),
                teachers = plan.teacher.embedding_channels();
  if (own != teachers)
    return "random weights: the teacher's embeddings have " + std::to_string(teachers) +
           " channels, its own " + std::to_string(own);
  if (init == From::embeddings) return "the teacher's embeddings, and random weights elsewhere";
  return "the teacher's embeddings and its layers";
}

const std::vector<int64_t>& layers_of(const DistillPlan& plan) {
  return plan.layers.empty() ? plan.from.layers_from_teacher : plan.layers;
}

void print_matches(std::ostream& text, const DistillPlan& plan) {
  const auto& matches = plan.config.intermediate_matches;
  text << "\nmatches" << (plan.config.has_matches() ? "" : "    none") << '\n';
  for (const IntermediateMatch& m : matches) {
    text << "  layer " << m.layer_student << " (N, " << plan.student.hidden_size << ')';
    if (m.projected())
      text << " -> " << (m.projection == Activation::none ? "linear" : name_of(m.projection))
           << " (N, " << m.teacher_size << ')';
    if (m.projection_rate) text << " at " << *m.projection_rate;
    text << "  with layer " << m.layer_teacher << " (N, " << plan.teacher.hidden_size
         << ")  weight " << m.weight << "  " << m.name() << '\n';
  }
  for (const EmdMatch& e : plan.config.emd) {
    text << "  layers 1 to " << e.student_layers << " (N, " << plan.student.hidden_size << ')';
    if (e.pair.projected())
      text << " -> "
           << (e.pair.projection == Activation::none ? "linear" : name_of(e.pair.projection))
           << " (N, " << e.pair.teacher_size << ") each";
    text << "  with layers 1 to " << e.teacher_layers << " (N, " << plan.teacher.hidden_size
         << ") by optimal transport" << (e.cost_attention ? " and cost attention" : "")
         << "  weight " << e.pair.weight << "  " << e.name() << '\n';
  }
}

void print_losses(std::ostream& text, const DistillPlan& plan) {
  text << "\nlosses\n";
  const Json config = plan.config.to_json();
  for (const Json::Member& m : config.members())
    if (m.key != "intermediate_matches" && m.key != "emd")
      text << "  " << m.key << ' ' << m.value.to_string() << '\n';
}

void print_other_teachers(std::ostream& text, const DistillPlan& plan) {
  if (plan.other_teachers.empty()) return;
  for (const ModelConfig& teacher : plan.other_teachers)
    text << "and        " << sizes_of(teacher) << '\n';
  text << "weights   ";
  for (const double weight : plan.teacher_weights) text << ' ' << in_three_digits(weight);
  text << " of the teachers' logits and of the matches with each\n";
}

// "3 epochs in", or of a training of steps "in".
std::string passes_of(const FitOptions& fit) {
  if (fit.steps > 0) return "in";
  return std::to_string(fit.epochs) + (fit.epochs == 1 ? " epoch in" : " epochs in");
}

// "2 times, after steps 15 30"; of many the first and the last.
std::string moments(const std::vector<int64_t>& steps) {
  constexpr size_t kShown = 8;
  std::string text = std::to_string(steps.size()) + (steps.size() == 1 ? " time" : " times") +
                     (steps.size() == 1 ? ", after step" : ", after steps");
  for (size_t i = 0; i < steps.size(); ++i) {
    const bool left_out = steps.size() > kShown && i >= kShown / 2 && i + 1 < steps.size();
    if (!left_out) text += ' ' + std::to_string(steps[i]);
    if (left_out && i == kShown / 2) text += " …";
  }
  return text;
}

// How many of the students that are evaluated stay.
std::string kept_of(const DistillPlan& plan) {
  const std::string best =
      plan.config.learns_layers_alone() ? "the latest is kept" : "the best is kept";
  const int64_t others = std::min(plan.fit.keep_best, std::ssize(plan.evaluations));
  return best + (others == 0 ? "" : ", and " + std::to_string(others) + " in gs{step}");
}

void print_cache(std::ostream& text, const DistillPlan::Cache& cache) {
  if (cache.folder.empty()) return;
  constexpr int64_t kMebibyte = 1 << 20;
  text << "\nteacher on disk, in " << cache.folder.string() << "\n  ";
  for (const std::string& field : cache.fields) text << field << ' ';
  text << "of every example in " << cache.dtype << ", " << (cache.bytes + kMebibyte - 1) / kMebibyte
       << " MiB; computed once, then read\n";
}

void print_training(std::ostream& text, const DistillPlan& plan) {
  const FitOptions& f = plan.fit;
  text << "\ntraining   " << plan.train_examples << " examples, " << plan.dev_examples
       << " to choose the best epoch by\n";
  if (plan.unlabelled + plan.copies > 0)
    text << "  of them " << plan.train_examples - plan.unlabelled - plan.copies
         << " with a label; the teacher alone labels " << plan.unlabelled << " further texts and "
         << plan.copies << " changed copies\n";
  text << "  texts of at most " << plan.max_length << " tokens, to which " << plan.truncated
       << " are cut\n"
       << "  " << plan.steps << " steps: " << passes_of(f) << " batches of at most " << f.batch_size
       << " examples and " << f.max_tokens << " tokens, " << f.accumulate << " to a step\n"
       << "  learning rate up to " << f.learning_rate << " over the first " << 100 * f.warm_up
       << " % of the steps, then down to 0; weight decay " << f.weight_decay << '\n'
       << "  evaluated " << moments(plan.evaluations) << "; " << kept_of(plan);
  if (f.early_stop > 0) text << "; ends after " << f.early_stop << " without a better one";
  text << '\n';
}

}  // namespace

std::string in_three_digits(double value) {
  char digits[16];
  std::snprintf(digits, sizeof digits, value < 100 ? "%.3g" : "%.0f", value);
  return digits;
}

void print_models(std::ostream& text, const DistillPlan& plan) {
  text << "teacher    " << sizes_of(plan.teacher) << "; " << plan.teacher_parameters
       << " parameters\n";
  print_other_teachers(text, plan);
  text << "student    " << sizes_of(plan.student) << "; " << plan.student_parameters
       << " parameters, "
       << in_three_digits(100.0 * static_cast<double>(plan.student_parameters) /
                          static_cast<double>(plan.teacher_parameters))
       << " %" << (plan.from.preset.empty() ? "" : ", preset " + plan.from.preset) << '\n'
       << "begins as  " << start_of(plan);
  const std::vector<int64_t>& layers = layers_of(plan);
  for (size_t j = 0; j < layers.size(); ++j) text << (j ? ' ' : ':') << (j ? "" : " ") << layers[j];
  text << "\ntokens     "
       << (plan.same_tokens ? "the same for both"
                            : "each its own: whole texts are compared, tokens are not")
       << '\n';
  print_matches(text, plan);
  print_losses(text, plan);
}

std::string explanation(const DistillPlan& plan) {
  std::ostringstream text;
  text << "task       " << plan.task->name << '\n';
  print_models(text, plan);
  print_training(text, plan);
  print_cache(text, plan.cache);
  return text.str();
}

Json models_to_json(const DistillPlan& plan) {
  const auto model = [](const ModelConfig& c, int64_t parameters) {
    return Json::make_object({{"family", c.family->model_type},
                              {"layers", c.layers()},
                              {"hidden_size", c.hidden_size},
                              {"parameters", parameters}});
  };
  Json layers = Json::make_array();
  for (const int64_t layer : layers_of(plan)) layers.append(layer);
  return Json::make_object({{"teacher", model(plan.teacher, plan.teacher_parameters)},
                            {"student", model(plan.student, plan.student_parameters)},
                            {"layers_from_teacher", layers},
                            {"same_tokens", plan.same_tokens},
                            {"DistillationConfig", plan.config.to_json()},
                            {"steps", plan.steps}});
}

Json to_json(const DistillPlan& plan) {
  Json evaluations = Json::make_array(), fields = Json::make_array();
  for (const int64_t step : plan.evaluations) evaluations.append(step);
  for (const std::string& field : plan.cache.fields) fields.append(field);
  Json json = models_to_json(plan)
                  .set("task", plan.task->name)
                  .set("train_examples", plan.train_examples)
                  .set("unlabelled", plan.unlabelled)
                  .set("copies", plan.copies)
                  .set("dev_examples", plan.dev_examples)
                  .set("max_length", plan.max_length)
                  .set("truncated", plan.truncated)
                  .set("evaluations", evaluations);
  if (plan.cache.folder.empty()) return json;
  return json.set("teacher_cache", Json::make_object({{"folder", plan.cache.folder.string()},
                                                      {"fields", fields},
                                                      {"dtype", plan.cache.dtype},
                                                      {"bytes", plan.cache.bytes}}));
}

}  // namespace ink
