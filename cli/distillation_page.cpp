// A table of models and the curves of a distillation's losses.
#include "cli/distillation_page.h"

#include <algorithm>

#include "autograd/training_log.h"
#include "cli/format.h"
#include "cli/model_size.h"
#include "cli/report_page.h"
#include "cli/svg.h"
#include "cli/task_options.h"
#include "tasks/score_text.h"
#include "tensor/file.h"

namespace ink::cli {
namespace {

// A term of the loss ends in "loss", or is a match, named after its feature (compress/matches.h) or
// after optimal transport (compress/emd_match.h); of several tasks it stands behind the name of
// one.
bool is_term(const std::string& logged) {
  const std::string key = logged.substr(logged.rfind('.') + 1);
  return key.ends_with("loss") || key.starts_with("hidden_") || key.starts_with("attention_") ||
         key.starts_with("relation_") || key.starts_with("emd_");
}

void add_point(std::vector<Series>& all, const std::string& name, double step, double value) {
  auto series = std::ranges::find(all, name, &Series::name);
  if (series == all.end()) series = all.insert(series, Series{.name = name});
  series->x.push_back(step);
  series->y.push_back(value);
}

std::string charts(const std::vector<Series>& all) {
  std::string html = "<div class='row'>";
  for (const Series& series : all)
    html += card(line_chart({series}, {.title = series.name, .x_label = "step"}));
  return html + "</div>\n";
}

std::string curves_of_terms(const std::vector<Json>& log) {
  std::vector<Series> terms;
  for (const Json& line : log)
    for (const Json::Member& m : line.members())
      if (is_term(m.key) && m.value.is_number())
        add_point(terms, m.key, line.real("step"), m.value.as_real());
  return charts(terms);
}

std::string curves_of_evaluations(const std::vector<Json>& log) {
  std::vector<Series> metrics;
  for (const Json& line : log) {
    if (!line.has("evaluation")) continue;
    for (const Json::Member& m : line.object("evaluation").members())
      if (m.value.is_number()) add_point(metrics, m.key, line.real("step"), m.value.as_real());
  }
  return charts(metrics);
}

std::string score_in(const Json& model) {
  return score_text(model.has("pearson") ? "pearson" : "", model.real("score"));
}

std::string table_in(const Json& distillation) {
  std::string html =
      "<table>\n<tr><th>model</th><th>parameters</th><th>MB</th><th>sentences/s</th>"
      "<th>score</th></tr>\n";
  const Json& models = distillation.array("models");
  for (size_t i = 0; i < models.size(); ++i) {
    const Json& m = models.object(i);
    html += formatted("<tr><td>%s</td><td>%.2f M</td><td>%.2f</td><td>%.1f</td><td>%s</td></tr>\n",
                      escape_html(m.string("name")).c_str(), m.real("parameters") / 1e6,
                      m.real("megabytes"), m.real("sentences_per_second"), score_in(m).c_str());
  }
  return html + "</table>\n";
}

}  // namespace

Json json_of(const std::vector<ComparedModel>& models) {
  Json list = Json::make_array();
  for (const ComparedModel& m : models) {
    Json json = json_of(m.scores);
    list.append(json.set("name", m.name)
                    .set("parameters", m.parameters)
                    .set("megabytes", megabytes(m.parameters))
                    .set("sentences_per_second", m.sentences_per_second)
                    .set("score", m.scores.score));
  }
  return Json::make_object({{"models", std::move(list)}});
}

std::string comparison_tables(const Json& distillation) {
  std::string html = "<div class='card'>";
  if (distillation.has("tasks"))
    for (const Json::Member& task : distillation.object("tasks").members())
      html += "<h3>" + escape_html(task.key) + "</h3>\n" +
              table_in(distillation.object("tasks").object(task.key));
  else
    html += table_in(distillation);
  return html +
         "<p class='note'>On the development examples, which also chose the best student. Speed in "
         "batches of 32 of them, models in turns, f32.</p>\n</div>\n";
}

std::string distillation_page(const std::string& title, const Json& distillation,
                              const std::vector<Json>& log) {
  return html_page(title, "<h2>Models</h2>\n" + comparison_tables(distillation) +
                              "<h2>Losses</h2>\n" + curves_of_terms(log) +
                              "<h2>The student on the development examples</h2>\n" +
                              curves_of_evaluations(log));
}

void write_distillation(const std::filesystem::path& folder, const Json& distillation) {
  const auto log = read_training_log(folder / "training" / "log.jsonl");
  write_file(folder / "distillation.json", distillation.to_string(2) + '\n');
  write_file(folder / "distillation.html",
             distillation_page("Distillation: " + folder.filename().string(), distillation, log));
}

std::string table_of(const Json& distillation) {
  std::string text =
      formatted("%-18s %12s %9s %13s %8s\n", "model", "parameters", "MB", "sentences/s", "score");
  for (const Json& m : distillation.array("models").items())
    text += formatted("%-18s %12ld %9.2f %13.1f %8s\n", m.string("name").c_str(),
                      static_cast<long>(m.integer("parameters")), m.real("megabytes"),
                      m.real("sentences_per_second"), score_in(m).c_str());
  return text;
}

}  // namespace ink::cli
