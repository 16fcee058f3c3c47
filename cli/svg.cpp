// SVG: scales with round ticks, polylines, cells.
#include "cli/svg.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/format.h"
#include "tensor/error.h"

namespace ink::cli {
namespace {

std::string text_at(double x, double y, const std::string& anchor, const std::string& text,
                    const char* style = "") {
  return formatted("<text x='%.1f' y='%.1f' text-anchor='%s' class='%s'>", x, y, anchor.c_str(),
                   style) +
         escape_html(text) + "</text>";
}

// A range of values and round places to mark in it.
struct Scale {
  double low, high, step;

  Scale(double least, double most, bool whole = false) {
    if (!(least < most)) {  // one value: seen from 0
      least = std::min(least, 0.0);
      most = least < 0 ? 0 : most > 0 ? most : 1;
    }
    const double rough = (most - least) / 4,
                 magnitude = std::pow(10, std::floor(std::log10(rough)));
    const double lead = rough / magnitude;
    step = magnitude * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
    if (whole) step = std::max(step, 1.0);
    low = std::floor(least / step) * step;
    high = std::ceil(most / step) * step;
  }
  int ticks() const { return static_cast<int>(std::lround((high - low) / step)) + 1; }
  double tick(int i) const {
    const double v = low + i * step;
    return std::abs(v) < step * 1e-9 ? 0 : v;
  }
  double position(double v) const { return (v - low) / (high - low); }  // 0 … 1
};

Scale scale_of(const std::vector<Series>& series, std::vector<double> Series::*values,
               bool whole = false) {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  for (const Series& s : series) {
    for (const double v : s.*values) {
      if (!std::isfinite(v)) continue;
      least = std::min(least, v);
      most = std::max(most, v);
    }
  }
  return std::isfinite(least) ? Scale(least, most, whole) : Scale(0, 1);
}

std::vector<double> running_mean(const std::vector<double>& y, int width) {
  std::vector<double> out(y.size());
  const auto n = static_cast<int64_t>(y.size()), half = int64_t{width} / 2;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t reach = std::min({half, i, n - 1 - i});
    double sum = 0;
    for (int64_t j = i - reach; j <= i + reach; ++j) sum += y[static_cast<size_t>(j)];
    out[static_cast<size_t>(i)] = sum / static_cast<double>(2 * reach + 1);
  }
  return out;
}

// Where data lies inside a chart.
struct Frame {
  double left = 52, top = 30, width, height;
  Scale x, y;
  double px(double v) const { return left + width * x.position(v); }
  double py(double v) const { return top + height * (1 - y.position(v)); }
};

std::string axes(const Frame& f, const ChartOptions& o) {
  std::string svg;
  for (int i = 0; i < f.y.ticks(); ++i) {
    const double y = f.py(f.y.tick(i));
    svg += formatted("<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' class='grid'/>", f.left,
                     f.left + f.width, y, y);
    svg += text_at(f.left - 6, y + 4, "end", short_number(f.y.tick(i)), "tick");
  }
  for (int i = 0; i < f.x.ticks(); ++i) {
    svg += text_at(f.px(f.x.tick(i)), f.top + f.height + 16, "middle", short_number(f.x.tick(i)),
                   "tick");
  }
  svg += text_at(f.left, 16, "start", o.title, "title");
  svg += text_at(f.left + f.width, f.top + f.height + 32, "end", o.x_label, "tick");
  if (!o.y_label.empty()) svg += text_at(f.left, f.top - 2, "start", o.y_label, "tick");
  return svg;
}

std::string polyline(const Frame& f, const Series& s, const std::vector<double>& y,
                     double opacity) {
  std::string points;
  // a picture has no more points than pixels
  const size_t stride = std::max<size_t>(1, y.size() / 1000);
  for (size_t i = 0; i < y.size(); i += stride) {
    if (std::isfinite(y[i])) points += formatted("%.1f,%.1f ", f.px(s.x[i]), f.py(y[i]));
  }
  return formatted("<polyline style='stroke:var(--c%d);opacity:%.2f' points='", s.colour, opacity) +
         points + "'/>";
}

std::string draw(const Frame& f, const Series& s) {
  if (!s.markers) {
    if (s.smooth <= 1) return polyline(f, s, s.y, 1);
    return polyline(f, s, s.y, 0.25) + polyline(f, s, running_mean(s.y, s.smooth), 1);
  }
  std::string svg = polyline(f, s, s.y, 0.6);
  for (size_t i = 0; i < s.y.size(); ++i) {
    if (!std::isfinite(s.y[i])) continue;
    svg += formatted("<circle r='3.5' cx='%.1f' cy='%.1f' style='fill:var(--c%d)'><title>",
                     f.px(s.x[i]), f.py(s.y[i]), s.colour) +
           short_number(s.x[i]) + ": " + short_number(s.y[i]) + "</title></circle>";
  }
  return svg;
}

constexpr double kLegendLine = 15;  // pixels from one line to the next

// What a text takes at most: Han characters have three bytes and the width of two letters.
double width_of(const std::string& text) { return 7.0 * static_cast<double>(text.size()); }

// The names of several series, from the right, in as many lines as they need beside the title.
std::pair<std::string, int> legend_of(const std::vector<Series>& series, const ChartOptions& o) {
  std::string svg;
  if (series.size() < 2) return {svg, 1};
  const double right = o.width - 18.0, left = 64 + width_of(o.title);
  double x = right;
  int line = 0;
  for (const Series& s : series) {
    if (x < right && x - width_of(s.name) < left) {
      x = right;
      ++line;
    }
    svg += formatted("<g style='fill:var(--c%d)'>", s.colour) +
           text_at(x, 16 + kLegendLine * line, "end", s.name, "legend") + "</g>";
    x -= 12 + width_of(s.name);
  }
  return {svg, line + 1};
}

std::string begin_svg(double width, double height) {
  return formatted("<svg viewBox='0 0 %.0f %.0f' width='%.0f' role='img'>", width, height, width);
}

}  // namespace

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string short_number(double value) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size < 1e-3 || size >= 1e6) return formatted("%.3g", value);
  if (size >= 1000 && std::abs(value / 100 - std::round(value / 100)) < 1e-9)
    return formatted("%.4gk", value / 1000);
  return formatted("%.3g", value);
}

std::string line_chart(const std::vector<Series>& series, const ChartOptions& options) {
  for (const Series& s : series) {
    check(s.x.size() == s.y.size(), "chart: series '", s.name, "' has ", s.x.size(), " x for ",
          s.y.size(), " y");
  }
  const auto [legend, lines] = legend_of(series, options);
  const double top = 30 + kLegendLine * (lines - 1);
  const Frame f{.top = top,
                .width = options.width - 70.0,
                .height = options.height - 70.0,
                .x = scale_of(series, &Series::x, true),
                .y = scale_of(series, &Series::y)};
  std::string svg = begin_svg(options.width, options.height + top - 30) + axes(f, options);
  for (const Series& s : series) svg += draw(f, s);
  return svg + legend + "</svg>";
}

std::string heat_map(const HeatMap& map) {
  constexpr double kCell = 26, kLeft = 60, kTop = 44;
  double most = 0;
  size_t columns = 0;
  check(map.removed.size() == map.values.size(), "chart: expected ", map.values.size(),
        " rows of removed cells, got ", map.removed.size());
  for (size_t r = 0; r < map.values.size(); ++r) {
    const std::vector<double>& row = map.values[r];
    check(map.removed[r].size() == row.size(), "chart: row ", r, ": expected ", row.size(),
          " removed cells, got ", map.removed[r].size());
    columns = std::max(columns, row.size());
    for (const double v : row) most = std::max(most, v);
  }
  const double width = std::max(260.0, kLeft + kCell * static_cast<double>(columns) + 10);
  std::string svg = begin_svg(width, kTop + kCell * static_cast<double>(map.values.size()) + 24);
  svg += text_at(4, 16, "start", map.title, "title") +
         text_at(kLeft, 36, "start", map.column_label, "tick");
  for (size_t r = 0; r < map.values.size(); ++r) {
    const double y = kTop + kCell * static_cast<double>(r);
    svg += text_at(kLeft - 8, y + 17, "end", map.row_label + " " + std::to_string(r), "tick");
    for (size_t c = 0; c < map.values[r].size(); ++c) {
      const double strength = most > 0 ? map.values[r][c] / most : 0;
      const bool removed = map.removed[r][c];
      svg += formatted(
                 "<rect x='%.1f' y='%.1f' width='%.0f' height='%.0f' rx='4' class='%s' "
                 "style='--s:%.3f'><title>",
                 kLeft + kCell * static_cast<double>(c) + 2, y + 2, kCell - 4, kCell - 4,
                 removed ? "cell removed" : "cell", 0.15 + 0.85 * strength) +
             map.row_label + " " + std::to_string(r) + ", " + std::to_string(c) + ": " +
             short_number(map.values[r][c]) + (removed ? " (removed)" : " (kept)") +
             "</title></rect>";
    }
  }
  return svg + "</svg>";
}

std::string dot_chart(const std::vector<DotRow>& rows, const std::string& title) {
  constexpr double kRow = 24, kLeft = 190, kLength = 360, kTop = 30;
  std::vector<Series> all;
  all.reserve(rows.size());
  for (const DotRow& row : rows) all.push_back({.x = row.values});
  const Scale scale = scale_of(all, &Series::x);
  const double bottom = kTop + kRow * static_cast<double>(rows.size());
  const auto x_of = [&](double v) { return kLeft + kLength * scale.position(v); };
  std::string svg = begin_svg(kLeft + kLength + 40, bottom + 24);
  svg += text_at(4, 16, "start", title, "title");
  for (int i = 0; i < scale.ticks(); ++i) {
    const double x = x_of(scale.tick(i));
    svg += formatted("<line x1='%.1f' x2='%.1f' y1='%.0f' y2='%.0f' class='grid'/>", x, x, kTop,
                     bottom) +
           text_at(x, bottom + 16, "middle", short_number(scale.tick(i)), "tick");
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::vector<double>& values = rows[i].values;
    const double y = kTop + kRow * static_cast<double>(i) + 12;
    svg += text_at(kLeft - 8, y + 4, "end", rows[i].name, "bar");
    double mean = 0;
    for (const double v : values) {
      mean += v / static_cast<double>(values.size());
      svg += formatted("<circle r='3.5' cx='%.1f' cy='%.1f' style='fill:var(--c0);opacity:.6'>",
                       x_of(v), y) +
             "<title>" + short_number(v) + "</title></circle>";
    }
    if (!values.empty())
      svg += formatted("<rect x='%.1f' y='%.1f' width='2' height='16' style='fill:var(--c1)'/>",
                       x_of(mean) - 1, y - 8);
  }
  return svg + "</svg>";
}

std::string bar_chart(const std::vector<Bar>& bars, const std::string& title) {
  constexpr double kRow = 28, kLeft = 190, kLength = 360, kTop = 30;
  std::string svg =
      begin_svg(kLeft + kLength + 70, kTop + kRow * static_cast<double>(bars.size()) + 8);
  svg += text_at(4, 16, "start", title, "title");
  for (size_t i = 0; i < bars.size(); ++i) {
    const double y = kTop + kRow * static_cast<double>(i),
                 length = kLength * std::clamp(bars[i].fraction, 0.0, 1.0);
    svg += text_at(kLeft - 8, y + 16, "end", bars[i].name, "bar");
    svg += formatted(
        "<rect x='%.0f' y='%.1f' width='%.1f' height='18' rx='3' style='fill:var(--c%d)'/>", kLeft,
        y + 2, length, bars[i].colour);
    svg += text_at(kLeft + length + 6, y + 16, "start",
                   formatted("%.1f %%", 100 * bars[i].fraction), "bar");
  }
  return svg + "</svg>";
}

}  // namespace ink::cli
