// Pictures for the report, as inline SVG: line charts, bars, rows of dots and heat maps.
//
// Colours come from CSS variables of the page, so they follow its light or dark theme.
#pragma once
#include <string>
#include <vector>

namespace ink::cli {

struct Series {
  std::string name = {};
  std::vector<double> x = {}, y = {};  // same length; points that are not finite are left out
  int colour = 0;                      // 0 … 5: the page's --c0 … --c5
  bool markers = false;                // points instead of a line: few measurements
  // odd width of the running mean; above 1 the raw line is drawn faintly behind it
  int smooth = 1;
};

struct ChartOptions {
  std::string title = {}, x_label = {}, y_label = {};
  int width = 420, height = 260;
};
std::string line_chart(const std::vector<Series>& series, const ChartOptions& options);

// One cell for each value; a removed cell is hollow. values and removed are rows × columns.
struct HeatMap {
  std::string title = {}, row_label = {}, column_label = {};
  std::vector<std::vector<double>> values = {};
  std::vector<std::vector<bool>> removed = {};
};
std::string heat_map(const HeatMap& map);

// Bars from 0 to 100 %, one a row, with their figure.
struct Bar {
  std::string name;
  double fraction;
  int colour;
};
std::string bar_chart(const std::vector<Bar>& bars, const std::string& title);

// A row of dots for each name, one for each value, and a stroke at their mean; so both the order of
// the rows and their noise are seen. Rows without values are empty.
struct DotRow {
  std::string name;
  std::vector<double> values;
};
std::string dot_chart(const std::vector<DotRow>& rows, const std::string& title);

std::string escape_html(const std::string& text);
// At most three significant digits: "0.0123", "12.3", "1.2e-05".
std::string short_number(double value);

}  // namespace ink::cli
