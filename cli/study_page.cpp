// What a study shows: for each task a table of means over seeds, and curves over the steps.
#include <algorithm>

#include "cli/format.h"
#include "cli/report_page.h"
#include "cli/study_results.h"
#include "cli/svg.h"

namespace ink::cli {
namespace {

constexpr int kColours = 6;  // of the page

std::string cells_of(const StudyPlan& plan, const StudyResults& results, const StudyTask& task) {
  std::string html = "<table>\n<tr><th>variant</th>";
  for (const int64_t step : plan.steps)
    html += formatted("<th>step %ld</th>", static_cast<long>(step));
  html += "</tr>\n";
  for (const StudyVariant& variant : plan.variants) {
    html += "<tr><td>" + escape_html(variant.name) + "</td>";
    for (const int64_t step : plan.steps)
      html += "<td>" + shown(results.average(variant, task, step)) + "</td>";
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
      series.y.push_back(100 * a.mean);
    }
    all.push_back(series);
  }
  return line_chart(all, {.title = task.name, .x_label = "step of pre-training", .y_label = "%"});
}

// The metric that the scores of a task are.
std::string metric_of(const StudyTask& task) {
  return task.finetune.string("task", "classification") == "classification" ? "accuracy" : "F1";
}

}  // namespace

std::string shown(const Average& a) {
  if (a.count == 0) return "";
  if (a.count == 1) return formatted("%.1f", 100 * a.mean);
  return formatted("%.1f ± %.1f", 100 * a.mean, 100 * a.deviation);
}

std::string study_page(const StudyPlan& plan, const StudyResults& results) {
  std::string html = formatted("<p>Mean ± deviation over %ld seeds, in per cent.</p>\n",
                               static_cast<long>(plan.seeds.size()));
  for (const StudyTask& task : plan.tasks) {
    html += "<h2>" + escape_html(task.name) + "</h2>\n<p>" + metric_of(task) +
            "</p>\n<div class='row'>" + card(cells_of(plan, results, task));
    if (plan.steps.size() > 1) html += card(curves_of(plan, results, task));
    html += "</div>\n";
  }
  return html_page(plan.title, html);
}

std::string study_table(const StudyPlan& plan, const StudyResults& results) {
  std::string text;
  for (const StudyTask& task : plan.tasks) {
    text += formatted("%-26s", (task.name + " (" + metric_of(task) + ")").c_str());
    for (const int64_t step : plan.steps) text += formatted(" %13ld", static_cast<long>(step));
    text += '\n';
    for (const StudyVariant& variant : plan.variants) {
      text += formatted("  %-24s", variant.name.c_str());
      for (const int64_t step : plan.steps) {
        const std::string cell = shown(results.average(variant, task, step));
        const size_t characters = cell.size() - (cell.find("±") == std::string::npos ? 0 : 1);
        text += std::string(14 - std::min<size_t>(13, characters), ' ') + cell;
      }
      text += '\n';
    }
  }
  return text;
}

}  // namespace ink::cli
