// Modules, maps of importance, speed.
#include "cli/pruning_report.h"

#include <algorithm>
#include <map>

#include "cli/format.h"
#include "cli/model_size.h"
#include "cli/report_page.h"
#include "cli/svg.h"
#include "cli/vocabulary_section.h"
#include "nn/model_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBins = 32;  // of a row of neurons or channels
constexpr size_t kLongestAccount = size_t{1} << 28;

// ── JSON ────────────────────────────────────────────────────────────────────────────────────────

std::string layer_name(size_t layer) { return "layer " + std::to_string(layer); }

// What layers were called before others went, by what they are called now.
std::map<std::string, std::string> former_names(const Json& account) {
  std::map<std::string, std::string> names;
  if (account.is_null() || !account.has("layer_mask")) return names;
  const Json& mask = account.array("layer_mask");
  for (size_t l = 0; l < mask.size(); ++l)
    if (mask.integer_between(l, 0, 1) == 1) names[layer_name(names.size())] = layer_name(l);
  return names;
}

// In the order of the model before; a part that went has none after.
Json modules_of(const fs::path& before, const fs::path& after, const Json& account) {
  const Model whole = load_model(before), smaller = load_model(after);
  const auto former =
      whole.config.shared.groups > 0 ? std::map<std::string, std::string>() : former_names(account);
  std::map<std::string, int64_t> left;
  for (const Part& part : parts_of(*smaller.config.family, smaller.parameters)) {
    const auto name = former.find(part.name);
    left[name == former.end() ? part.name : name->second] = part.parameters;
  }
  Json modules = Json::make_array();
  for (const Part& part : parts_of(*whole.config.family, whole.parameters))
    modules.append(Json::make_object({{"name", part.name},
                                      {"parameters_before", part.parameters},
                                      {"parameters_after", left[part.name]}}));
  return modules.append(Json::make_object({{"name", "all"},
                                           {"parameters_before", whole.parameters.elements()},
                                           {"parameters_after", smaller.parameters.elements()}}));
}

// ── tables ──────────────────────────────────────────────────────────────────────────────────────

std::string module_table(const Json& modules) {
  std::string html =
      "<table>\n<tr><th>module</th><th>parameters before</th><th>after</th><th>MB before</th>"
      "<th>after</th><th>kept</th></tr>\n";
  for (const Json& module : modules.items()) {
    const int64_t before = module.integer("parameters_before"),
                  after = module.integer("parameters_after");
    const double share =
        before ? 100 * static_cast<double>(after) / static_cast<double>(before) : 0;
    html += "<tr><td>" + escape_html(module.string("name")) + "</td>" +
            formatted("<td>%ld</td><td>%ld</td><td>%.2f</td><td>%.2f</td><td>%.1f %%</td></tr>\n",
                      static_cast<long>(before), static_cast<long>(after), megabytes(before),
                      megabytes(after), share);
  }
  return html + "</table>\n";
}

std::string speed_row(const Json& speed, const char* what, const std::string& key) {
  if (!speed.has(key + "_after_ms")) return "";
  const double after = speed.real(key + "_after_ms");
  if (!speed.has(key + "_before_ms"))
    return formatted("<tr><td>%s</td><td></td><td>%.2f ms</td><td></td></tr>\n", what, after);
  const double before = speed.real(key + "_before_ms");
  return formatted("<tr><td>%s</td><td>%.2f ms</td><td>%.2f ms</td><td>%.2f ×</td></tr>\n", what,
                   before, after, before / after);
}

std::string speed_table(const Json& speed) {
  return formatted(
             "<h2>Speed</h2>\n<p>Encoding %ld × %ld tokens with %ld threads, %s kernels.</p>\n",
             static_cast<long>(speed.integer("batch")), static_cast<long>(speed.integer("length")),
             static_cast<long>(speed.integer("threads")),
             escape_html(speed.string("kernels")).c_str()) +
         "<table>\n<tr><th></th><th>before</th><th>after</th><th>speed-up</th></tr>\n" +
         speed_row(speed, "measured in turns, median", "measured") +
         speed_row(speed, "the quickest run", "quickest") +
         speed_row(speed, "predicted by the cost table", "predicted") + "</table>\n";
}

// ── maps ────────────────────────────────────────────────────────────────────────────────────────

using Rows = std::vector<std::vector<double>>;

std::vector<double> numbers(const Json& list) {
  std::vector<double> values;
  for (size_t i = 0; i < list.size(); ++i) values.push_back(list.real(i));
  return values;
}

// A mask or importance of one row or several; empty when absent.
Rows rows_of(const Json& account, const std::string& key) {
  Rows rows;
  if (!account.has(key)) return rows;
  const Json& list = account.array(key);
  if (list.size() > 0 && !list[0].is_array()) return {numbers(list)};
  for (size_t l = 0; l < list.size(); ++l) rows.push_back(numbers(list.array(l)));
  return rows;
}

// Means over at most kBins parts of a row.
std::vector<double> binned(const std::vector<double>& row) {
  if (row.size() <= kBins) return row;
  std::vector<double> means(kBins);
  for (size_t b = 0; b < kBins; ++b) {
    const size_t first = b * row.size() / kBins, end = (b + 1) * row.size() / kBins;
    for (size_t i = first; i < end; ++i) means[b] += row[i] / static_cast<double>(end - first);
  }
  return means;
}

// Importance, or where none was measured what is kept; parts of which nothing is left are hollow.
HeatMap map_of(Rows values, const Rows& mask, const std::string& title, const char* element) {
  const bool wide = std::ranges::any_of(mask, [](const auto& r) { return r.size() > kBins; });
  HeatMap map{.title = title,
              .row_label = mask.size() > 1 ? "layer" : "",
              .column_label = wide ? formatted("%ss, in %zu parts of a row", element, kBins)
                                   : std::string(element)};
  for (size_t l = 0; l < mask.size(); ++l) {
    const std::vector<double> left = binned(mask[l]);
    map.values.push_back(binned(values[l]));
    std::vector<bool>& removed = map.removed.emplace_back();
    for (const double share : left) removed.push_back(share == 0);
  }
  return map;
}

void check_rows(const Rows& a, const Rows& b, const std::string& key) {
  bool same = a.size() == b.size();
  for (size_t l = 0; same && l < a.size(); ++l) same = a[l].size() == b[l].size();
  check(same, "pruning.json: ", key, ": expected importance and mask of the same elements");
}

// Importance is that of the step that measured it first; earlier ones may have cut other parts.
std::string importance_title(const Json& account, const std::string& key) {
  const Json& steps = account.array("steps");
  size_t before = 0;
  while (before < steps.size() && !steps.object(before).has(key)) ++before;
  return before == 0 ? "importance before anything went"
                     : formatted("importance after step %zu of %zu", before, steps.size());
}

std::string maps_of(const Json& account) {
  struct Kind {
    const char *key, *name;
  };
  std::string html;
  for (const auto& [key, name] : {Kind{"layer", "layer"}, Kind{"channel", "hidden channel"},
                                  Kind{"head", "head"}, Kind{"ffn", "neuron"}}) {
    const std::string measured = std::string(key) + "_importance";
    const Rows mask = rows_of(account, std::string(key) + "_mask"),
               importance = rows_of(account, measured);
    if (mask.empty()) continue;
    html += formatted("<h2>%c%ss</h2>\n<div class='row'>", static_cast<char>(*name - 'a' + 'A'),
                      name + 1);
    if (!importance.empty()) {
      check_rows(importance, mask, key);
      html += card(heat_map(map_of(importance, mask, importance_title(account, measured), name)));
    }
    html += card(heat_map(map_of(mask, mask, "share that is kept", name))) + "</div>\n";
  }
  return html;
}

}  // namespace

Json pruning_report(const fs::path& before, const fs::path& after) {
  Json accounts = Json::make_object();
  for (const auto& [key, name] :
       {std::pair("transformer", "pruning.json"), {"vocabulary", "vocabulary_pruning.json"}}) {
    const fs::path file = after / name;
    accounts.set(key, Json());
    if (!fs::exists(file)) continue;
    Json account = parse_json(read_file(file, kLongestAccount), file.string());
    account.erase("kept_ids");
    accounts.set(key, std::move(account));
  }
  Json report =
      Json::make_object({{"before", before.string()},
                         {"after", after.string()},
                         {"modules", modules_of(before, after, accounts["transformer"])}});
  for (const Json::Member& m : accounts.members()) {
    if (!m.value.is_null()) report.set(m.key, m.value);
  }
  return report;
}

std::string pruning_page(const Json& report) {
  std::string html = "<h2>Modules</h2>\n" + module_table(report.array("modules"));
  if (report.has("transformer")) {
    const Json& account = report.object("transformer");
    if (account.has("speed")) html += speed_table(account.object("speed"));
    html += maps_of(account);
  }
  if (report.has("vocabulary")) html += vocabulary_section(report.object("vocabulary"));
  return html_page("Pruning of " + report.string("before"), html);
}

void write_pruning_report(const fs::path& before, const fs::path& after, const fs::path& page) {
  const Json report = pruning_report(before, after);
  write_file(fs::path(page).replace_extension(".json"), report.to_string() + '\n');
  write_file(page, pruning_page(report));
}

}  // namespace ink::cli
