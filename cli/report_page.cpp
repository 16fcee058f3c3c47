// The HTML of a report.
#include "cli/report_page.h"

#include "cli/distillation_page.h"
#include "cli/format.h"
#include "cli/model_size.h"
#include "cli/report_curves.h"

namespace ink::cli {
namespace {

constexpr const char* kStyle = R"(
:root{--paper:#fbf9f5;--ink:#24211c;--soft:#7a7266;--line:#e4ded2;--card:#fff;
--c0:#2f5d8a;--c1:#b3541e;--c2:#4f7a3a;--c3:#7d4b86;--c4:#a3762b;--c5:#3c7d80}
@media(prefers-color-scheme:dark){
:root{--paper:#1c1a17;--ink:#ece6da;--soft:#a39a8a;--line:#3a362f;--card:#24211d;
--c0:#7fb0dd;--c1:#e39a66;--c2:#96c47c;--c3:#c79ad0;--c4:#dcb569;--c5:#7fc4c6}}
body{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;
max-width:1360px;margin:2rem auto;padding:0 1.5rem}
h1{font-weight:600;margin:0}
h2{margin:2.2rem 0 .6rem;font-weight:600;border-bottom:1px solid var(--line)}
p,.note{color:var(--soft);margin:.3rem 0}
.row{display:flex;flex-wrap:wrap;gap:14px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px}
svg{max-width:100%;height:auto;display:block}
svg text{fill:var(--ink);font:12px system-ui,sans-serif}
svg .title{font-weight:600;font-size:13px}
svg .tick{fill:var(--soft);font-size:11px}
svg g .legend{fill:inherit;font-weight:600}
svg .grid{stroke:var(--line)}
svg polyline{fill:none;stroke-width:1.6}
svg .cell{fill:var(--c0);fill-opacity:var(--s)}
svg .removed{fill:none;stroke:var(--c1);stroke-opacity:.75;stroke-dasharray:3 2}
table{border-collapse:collapse;background:var(--card)}
td,th{padding:.35rem .9rem;border-bottom:1px solid var(--line);text-align:right}
td:first-child,th:first-child{text-align:left})";

}  // namespace

std::string card(const std::string& svg) { return "<div class='card'>" + svg + "</div>\n"; }

std::string html_page(const std::string& title, const std::string& body) {
  constexpr const char* kTop = R"(<!doctype html>
<html lang='en'>
<head>
<meta charset='utf-8'>
<meta name='viewport' content='width=device-width,initial-scale=1'>
<title>%s</title>
<style>%s</style>
</head>
<body>
<h1>%s</h1>
)";
  const std::string name = escape_html(title);
  return formatted(kTop, name.c_str(), kStyle, name.c_str()) + body + "</body>\n</html>\n";
}

namespace {

std::string model_rows(const Report& report) {
  constexpr const char* kBaseline =
      R"(<tr><td>%s</td><td></td><td></td><td></td><td>%.1f %%</td><td></td><td></td><td></td></tr>
)";
  constexpr const char* kModel =
      R"(<tr><td>%s</td><td>%ld</td><td>%.2f M</td><td>%.2f</td>
<td>%.1f %%</td><td>%.1f %%</td><td>%.2f</td><td>%.1f</td></tr>
)";
  std::string html;
  for (const auto& [name, accuracy] : report.baselines)
    html += formatted(kBaseline, escape_html(name).c_str(), 100 * accuracy);
  for (const ReportedModel& m : report.models) {
    html += formatted(kModel, escape_html(m.name).c_str(), static_cast<long>(m.layers),
                      static_cast<double>(m.parameters) / 1e6, megabytes(m.parameters),
                      100 * m.accuracy, 100 * m.macro_f1, m.milliseconds_1, m.milliseconds_32);
  }
  return html;
}

std::string results_of(const Report& report) {
  if (report.models.empty() && report.baselines.empty()) return "";
  constexpr const char* kHead = R"(<div class='card'>
<table>
<tr><th>model</th><th>layers</th><th>parameters</th><th>MB</th>
<th>accuracy</th><th>macro F1</th><th>ms, 1 text</th><th>ms, 32 texts</th></tr>
)";
  constexpr const char* kFoot = R"(</table>
<p class='note'>%ld examples; median latency of calls in turns, %d threads, %s kernels, f32</p>
</div>
</div>
)";
  std::vector<Bar> bars;
  for (const auto& [name, accuracy] : report.baselines) bars.push_back({name, accuracy, 4});
  for (const ReportedModel& m : report.models) bars.push_back({m.name, m.accuracy, 0});
  return "<h2>Results</h2>\n<div class='row'>" + card(bar_chart(bars, "accuracy")) + kHead +
         model_rows(report) +
         formatted(kFoot, static_cast<long>(report.examples), report.threads,
                   report.kernels.c_str());
}

}  // namespace

std::string page_of(const Report& report) {
  constexpr const char* kHeads = R"(<h2>Attention heads</h2>
<p>Darker is more important for the task, measured on the whole model. Dashed heads were removed, in
several rounds where pruning was iterative; what is left is measured anew before each, so a later
round may remove a head that seemed important at first.</p>
<div class='row'>)";
  std::string html = results_of(report);
  if (!report.heat_maps.empty()) {
    html += kHeads;
    for (const HeatMap& map : report.heat_maps) html += card(heat_map(map));
    html += "</div>\n";
  }
  if (!report.distillations.empty()) html += "<h2>Distillation</h2>\n";
  for (const ReportedDistillation& d : report.distillations)
    html += "<h3>" + escape_html(d.name) + "</h3>\n" + comparison_tables(d.json);
  if (!report.runs.empty()) html += "<h2>Training</h2>\n";
  for (const ReportedRun& run : report.runs)
    html +=
        "<h3>" + escape_html(run.name) + "</h3><div class='row'>" + curves_of(run.log) + "</div>\n";
  return html_page(report.title, html);
}

std::string table_of(const Report& report) {
  std::string text = formatted("%-26s %12s %9s %10s %10s %11s %12s\n", "model", "parameters", "MB",
                               "accuracy", "macro F1", "ms, 1 text", "ms, 32 texts");
  for (const auto& [name, accuracy] : report.baselines) {
    text += formatted("%-26s %12s %9s %9.1f%%\n", name.c_str(), "", "", 100 * accuracy);
  }
  for (const ReportedModel& m : report.models) {
    text += formatted("%-26s %12ld %9.2f %9.1f%% %9.1f%% %11.2f %12.1f\n", m.name.c_str(),
                      static_cast<long>(m.parameters), megabytes(m.parameters), 100 * m.accuracy,
                      100 * m.macro_f1, m.milliseconds_1, m.milliseconds_32);
  }
  return text;
}

}  // namespace ink::cli
