// What a study shows: for each task a table of means over seeds, their spread, and curves over the
// steps.
#include <algorithm>

#include "cli/format.h"
#include "cli/report_page.h"
#include "cli/study_results.h"
#include "cli/svg.h"
#include "tasks/score_text.h"
#include "tasks/task.h"

namespace ink::cli {
namespace {

constexpr int kColours = 6;  // of the page

// The metric that the scores of a task are.
std::string metric_of(const StudyTask& task) {
  return task_named(task.finetune.string("task", "classification")).judged_by;
}

// Correlations as they are, other scores in per cent.
double unit_of(const StudyTask& task) { return is_correlation(metric_of(task)) ? 1 : 100; }

// "83.1 ± 0.4", and of how many seeds where that is not all of them.
std::string cell_of(const StudyPlan& plan, const StudyTask& task, const Average& average) {
  const bool all = average.count == 0 || average.count == std::ssize(plan.seeds);
  return shown(metric_of(task), average) +
         (all ? "" : formatted(" (of %ld)", static_cast<long>(average.count)));
}

std::string cells_of(const StudyPlan& plan, const StudyResults& results, const StudyTask& task) {
  std::string html = "<table>\n<tr><th>variant</th>";
  for (const int64_t step : plan.steps)
    html += formatted("<th>step %ld</th>", static_cast<long>(step));
  html += "</tr>\n";
  for (const StudyVariant& variant : plan.variants) {
    html += "<tr><td>" + escape_html(variant.name) + "</td>";
    for (const int64_t step : plan.steps)
      html += "<td>" + cell_of(plan, task, results.average(variant, task, step)) + "</td>";
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

std::string curves_of(const StudyPlan& plan, const StudyResults& results, const StudyTask& task) {
  std::vector<Series> all;
  for (const StudyVariant& variant : plan.variants) {
    Series series{.name = variant.name, .colour = static_cast<int>(all.size()) % kColours};
    for (const int64_t step : plan.steps) {
      const Average a = results.average(variant, task, step);
      if (a.count == 0) continue;
      series.x.push_back(static_cast<double>(step));
      series.y.push_back(unit_of(task) * a.mean);
    }
    all.push_back(series);
  }
  return line_chart(all, {.title = task.name,
                          .x_label = "step of pre-training",
                          .y_label = unit_of(task) == 1 ? "" : "%"});
}

// The scores of all seeds at the last step of each variant.
std::string spread_of(const StudyPlan& plan, const StudyResults& results, const StudyTask& task) {
  std::vector<DotRow> rows;
  for (const StudyVariant& variant : plan.variants) {
    rows.push_back({variant.name, {}});
    for (const int64_t seed : plan.seeds)
      if (const StudyScore* s = results.find(variant, task, seed, variant.steps.back()))
        rows.back().values.push_back(unit_of(task) * s->score);
  }
  return dot_chart(rows, task.name + (unit_of(task) == 1 ? "" : ", %") +
                             ", after the last step: every seed, and the mean");
}

// What each variant asks of pre-training beside the base.
std::string options_of(const StudyPlan& plan) {
  std::string html = "<table>\n<tr><th>variant</th><th>options</th></tr>\n";
  for (const StudyVariant& variant : plan.variants)
    html += "<tr><td>" + escape_html(variant.name) + "</td><td>" +
            escape_html(variant.options.to_string()) + "</td></tr>\n";
  return html + "</table>\n";
}

bool has_curves(const StudyPlan& plan) {
  return std::ranges::any_of(plan.variants,
                             [](const StudyVariant& v) { return v.steps.size() > 1; });
}

}  // namespace

std::string shown(std::string_view metric, const Average& a) {
  if (a.count == 0) return "";
  const bool correlation = is_correlation(metric);
  const double unit = correlation ? 1 : 100;
  const int digits = correlation ? 3 : 1;
  const std::string mean = formatted("%.*f", digits, unit * a.mean);
  return a.count == 1 ? mean : mean + formatted(" ± %.*f", digits, unit * a.deviation);
}

std::string study_page(const StudyPlan& plan, const StudyResults& results) {
  std::string html =
      formatted("<p>Mean ± deviation over %ld seeds, in per cent but for correlations.</p>\n",
                static_cast<long>(plan.seeds.size()));
  for (const StudyTask& task : plan.tasks) {
    html += "<h2>" + escape_html(task.name) + "</h2>\n<p>" + metric_of(task) +
            "</p>\n<div class='row'>" + card(cells_of(plan, results, task)) +
            card(spread_of(plan, results, task));
    if (has_curves(plan)) html += card(curves_of(plan, results, task));
    html += "</div>\n";
  }
  html += "<h2>Options of pre-training</h2>\n" + card(options_of(plan));
  return html_page(plan.title, html);
}

std::string study_table(const StudyPlan& plan, const StudyResults& results) {
  std::string text;
  for (const StudyTask& task : plan.tasks) {
    text += formatted("%-26s", (task.name + " (" + metric_of(task) + ")").c_str());
    for (const int64_t step : plan.steps) text += formatted(" %17ld", static_cast<long>(step));
    text += '\n';
    for (const StudyVariant& variant : plan.variants) {
      text += formatted("  %-24s", variant.name.c_str());
      for (const int64_t step : plan.steps) {
        const std::string cell = cell_of(plan, task, results.average(variant, task, step));
        const size_t characters = cell.size() - (cell.find("±") == std::string::npos ? 0 : 1);
        text += std::string(18 - std::min<size_t>(17, characters), ' ') + cell;
      }
      text += '\n';
    }
  }
  return text;
}

}  // namespace ink::cli
