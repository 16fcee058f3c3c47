// A panel for each objective, the rate, the gradient's norm and the length of sequences.
#include "cli/report_curves.h"

#include <algorithm>

#include "cli/report_page.h"
#include "cli/svg.h"

namespace ink::cli {
namespace {

// The same question in training and on held-out text (objectives/pretrain_evaluation.h).
struct Question {
  const char *training, *held_out, *accuracy, *what;
  const char* own_place = nullptr;  // the accuracy of whoever leaves all where it stands
};
constexpr Question kQuestions[] = {
    {"mlm_loss", "loss", "accuracy", "original tokens"},
    {"position_loss", "position_loss", "position_accuracy", "positions", "position_own_place"},
    {"replaced_loss", "replaced_loss", "replaced_accuracy", "replaced tokens"},
    {"pair_loss", "pair_loss", "pair_accuracy", "pairs of texts"}};

// One value of each line of a log that has it, over the steps.
Series series_of(const std::vector<Json>& log, const std::string& key,
                 const std::string& inside = "") {
  Series s{.name = key};
  for (const Json& line : log) {
    const Json* holder = inside.empty() ? &line : line.find(inside);
    const Json* value = holder && holder->is_object() ? holder->find(key) : nullptr;
    if (!value || !value->is_number()) continue;
    s.x.push_back(line.real("step"));
    s.y.push_back(value->as_real());
  }
  return s;
}

Series in_training(const std::vector<Json>& log, const std::string& key, int colour = 0) {
  Series s = series_of(log, key);
  s.name = "training";
  s.colour = colour;
  s.smooth = s.y.size() > 40 ? 9 : 1;
  return s;
}

Series on_held_out(const std::vector<Json>& log, const std::string& key, int colour = 1) {
  Series s = series_of(log, key, "evaluation");
  s.name = "held out";
  s.markers = true;
  s.colour = colour;
  return s;
}

Series always_own_place(const std::vector<Json>& log, const std::string& key) {
  Series s = series_of(log, key, "evaluation");
  s.name = "always its own place";
  return s;
}

std::string chart(std::vector<Series> series, const std::string& title) {
  std::erase_if(series, [](const Series& s) { return s.y.empty(); });
  return series.empty() ? "" : card(line_chart(series, {.title = title, .x_label = "step"}));
}

// What was asked in this run; `of` says of whom, where that is not plain.
struct Asked {
  Question question;
  std::string what;
};

std::vector<Asked> asked_in(const std::vector<Json>& log) {
  std::vector<Asked> all;
  for (const Question& q : kQuestions)
    if (!series_of(log, q.training).y.empty()) all.push_back({q, q.what});
  const bool has_generator =
      std::ranges::any_of(all, [](const Asked& a) { return a.what == "replaced tokens"; });
  if (has_generator) all.front().what += " (the generator)";
  return all;
}

std::string losses_of(const std::vector<Json>& log, const std::vector<Asked>& asked) {
  std::string html;
  if (asked.size() != 1)
    html += chart({in_training(log, "loss")},
                  asked.empty() ? "loss" : "loss, the weighted sum of all in training");
  for (const auto& [question, what] : asked)
    html += chart({in_training(log, question.training), on_held_out(log, question.held_out)},
                  "loss: " + what);
  return html;
}

// What the evaluations of a task measured, or of several: "accuracy", "ner.dev_loss".
std::vector<std::string> measured_in(const std::vector<Json>& log) {
  std::vector<std::string> names;
  for (const Json& line : log) {
    if (!line.has("evaluation")) continue;
    for (const Json::Member& m : line.object("evaluation").members()) names.push_back(m.key);
    break;
  }
  return names;
}

// A panel for each of them.
std::string evaluations_of(const std::vector<Json>& log) {
  constexpr int kColour = 4;
  std::string html;
  for (const std::string& name : measured_in(log)) {
    const size_t loss = name.rfind("dev_loss");
    const bool is_loss = loss != std::string::npos;
    std::string what = is_loss ? name.substr(0, loss) + "loss" : name;
    std::ranges::replace(what, '_', ' ');
    html += chart({is_loss ? on_held_out(log, name) : on_held_out(log, name, kColour)},
                  what + " on held-out examples");
  }
  return html;
}

std::string accuracies_of(const std::vector<Json>& log, const std::vector<Asked>& asked) {
  constexpr int kFirstColour = 4;
  if (asked.empty()) return evaluations_of(log);
  std::string html;
  for (const auto& [question, what] : asked) {
    std::vector<Series> series = {on_held_out(log, question.accuracy, kFirstColour)};
    if (question.own_place) series.push_back(always_own_place(log, question.own_place));
    html += chart(std::move(series), "accuracy: " + what);
  }
  return html;
}

}  // namespace

std::string curves_of(const std::vector<Json>& log) {
  constexpr int kRate = 2, kNorm = 3;
  const std::vector<Asked> asked = asked_in(log);
  Series rate = series_of(log, "learning_rate");
  rate.colour = kRate;
  return losses_of(log, asked) + accuracies_of(log, asked) + chart({rate}, "learning rate") +
         chart({in_training(log, "gradient_norm", kNorm)}, "gradient norm") +
         chart({series_of(log, "max_tokens")}, "longest sequence in tokens");
}

}  // namespace ink::cli
