// The arithmetic around the networks of amesh, in C++17, in this one file: boxes from a face detector, regions of
// interest, crops, landmarks back in the picture, smoothing. No dependency; run the networks with what you like.
//
// docs/pipeline.md explains each step; check.cpp holds this file to the numbers in docs/pipeline/reference.json.
//
// Coordinates are continuous: the corner of the top-left pixel is (0, 0), its centre (0.5, 0.5). Angles are in radians,
// clockwise on the screen. Pictures are RGB, 8 bits a channel, in the orientation in which they are displayed.
// Nothing here has global state: threads may share everything but a OneEuro.

#ifndef AMESH_HPP
#define AMESH_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

namespace amesh {

constexpr double kPi = 3.14159265358979323846;

struct Point {
    double x = 0, y = 0;
};

// (u, v) -> (a u + b v + x, c u + d v + y), from a network's input to the picture [px].
struct Affine {
    double a = 1, b = 0, x = 0, c = 0, d = 1, y = 0;
    Point operator()(double u, double v) const { return {a * u + b * v + x, c * u + d * v + y}; }
    double scale() const { return std::max(std::hypot(a, c), std::hypot(b, d)); }
};

// A square: centre, side [px], angle of its x axis in the picture.
struct Roi {
    double x = 0, y = 0, side = 0, angle = 0;
};

// A picture in memory that this code only reads. `stride` is the distance of two rows [bytes].
struct Picture {
    const std::uint8_t* rgb = nullptr;
    int width = 0, height = 0;
    std::ptrdiff_t stride = 0;
    Picture(const std::uint8_t* rgb_, int width_, int height_, std::ptrdiff_t stride_ = 0)
        : rgb(rgb_), width(width_), height(height_), stride(stride_ ? stride_ : 3 * std::ptrdiff_t{width_}) {
        if (!rgb || width < 1 || height < 1) throw std::invalid_argument("amesh: an empty picture");
    }
};

// How a network's input lies in memory: LiteRT takes (row, column, channel), ONNX Runtime (channel, row, column).
enum class Layout { nhwc, nchw };

// --- Crops (steps 1 and 8 of the page) ------------------------------------------------------------------------------

namespace detail {

// A part of a picture, or a smaller version of one.
struct Pixels {
    int width, height;
    std::vector<float> rgb;
    Pixels(int w, int h) : width(w), height(h), rgb(std::size_t(3) * std::size_t(w) * std::size_t(h)) {}
    float* at(int x, int y) { return rgb.data() + 3 * (std::size_t(y) * std::size_t(width) + std::size_t(x)); }
    const float* at(int x, int y) const { return const_cast<Pixels*>(this)->at(x, y); }
};

// Means of 2 x 2 pixels; those missing at the far edges are black.
inline Pixels halved(const Pixels& from) {
    Pixels to((from.width + 1) / 2, (from.height + 1) / 2);
    for (int y = 0; y < from.height; ++y)
        for (int x = 0; x < from.width; ++x)
            for (int c = 0; c < 3; ++c) to.at(x / 2, y / 2)[c] += from.at(x, y)[c] / 4;
    return to;
}

// Adds `share` of the picture at a point, interpolated bilinearly; black outside.
inline void add_sample(const Pixels& from, Point point, float share, float* rgb) {
    const double left = std::floor(point.x - 0.5), top = std::floor(point.y - 0.5);
    // Compared before conversion: a distant point would overflow the integers.
    if (!(left >= -1 && top >= -1 && left < from.width && top < from.height)) return;
    const float right = float(point.x - 0.5 - left), down = float(point.y - 0.5 - top);
    for (int j = 0; j < 2; ++j)
        for (int i = 0; i < 2; ++i) {
            const int x = int(left) + i, y = int(top) + j;
            if (x < 0 || y < 0 || x >= from.width || y >= from.height) continue;
            const float weight = share * (i ? right : 1 - right) * (j ? down : 1 - down);
            for (int c = 0; c < 3; ++c) rgb[c] += weight * from.at(x, y)[c];
        }
}

// The range of pixels along one axis that a crop can see, in whole cells from the picture's edge.
inline std::pair<int, int> seen(double low, double high, int length, int cell) {
    const double first = std::clamp(std::floor(low) - 2 * cell, 0.0, double(length - 1));
    const int start = int(first) / cell * cell;
    const double last = std::clamp(std::ceil(high) + 2 * cell, double(start) + 1, double(length));
    return {start, std::min(length, (int(last) + cell - 1) / cell * cell)};
}

}  // namespace detail

// Cuts a network's input, `size` x `size` x 3 in [0, 1], with one bilinear interpolation.
//
// Where the crop shrinks the picture, samples x samples points make a pixel, and the picture is halved until these are
// at most `step` pixels apart. For faces the defaults are right; for detectors, see `detector_input`.
inline std::vector<float> crop(const Picture& picture, const Affine& image_from_crop, int size, Layout layout,
                               int samples = 2, double step = 1.75) {
    Affine place = image_from_crop;
    const double shrink = place.scale();
    if (size < 1 || samples < 1 || !(step > 0)) throw std::invalid_argument("amesh: size, samples or step below 1");
    if (!std::isfinite(shrink + place.x + place.y)) throw std::invalid_argument("amesh: a crop that is not finite");
    if (!(shrink > 1 + 1e-6)) samples = 1;
    int cell = 1;  // side of what becomes a pixel of the halved picture [px]
    while (shrink > step * samples * cell && cell < std::max(picture.width, picture.height)) cell *= 2;

    const std::array<Point, 4> corners{place(0, 0), place(size, 0), place(0, size), place(size, size)};
    const auto [x0, x1] = std::minmax({corners[0].x, corners[1].x, corners[2].x, corners[3].x});
    const auto [y0, y1] = std::minmax({corners[0].y, corners[1].y, corners[2].y, corners[3].y});
    const auto [left, right] = detail::seen(x0, x1, picture.width, cell);
    const auto [top, bottom] = detail::seen(y0, y1, picture.height, cell);
    detail::Pixels part(right - left, bottom - top);
    for (int y = top; y < bottom; ++y) {
        const std::uint8_t* row = picture.rgb + y * picture.stride + std::ptrdiff_t{3} * left;
        std::copy(row, row + std::ptrdiff_t{3} * (right - left), part.at(0, y - top));
    }
    place.x -= left;
    place.y -= top;
    for (; cell > 1; cell /= 2) {
        part = detail::halved(part);
        for (double* number : {&place.a, &place.b, &place.x, &place.c, &place.d, &place.y}) *number /= 2;
    }

    const std::size_t side = std::size_t(size), plane = side * side;
    const float share = 1.0f / 255 / float(samples * samples);
    std::vector<float> out(3 * plane);
    for (std::size_t row = 0; row < side; ++row)
        for (std::size_t column = 0; column < side; ++column) {
            float rgb[3] = {0, 0, 0};
            for (int j = 0; j < samples; ++j)
                for (int i = 0; i < samples; ++i) {
                    const double u = double(column) + (i + 0.5) / samples, v = double(row) + (j + 0.5) / samples;
                    detail::add_sample(part, place(u, v), share, rgb);
                }
            const std::size_t pixel = row * side + column;
            for (std::size_t c = 0; c < 3; ++c)
                out[layout == Layout::nhwc ? 3 * pixel + c : c * plane + pixel] = rgb[c];
        }
    return out;
}

// From the crop of a region to the picture.
inline Affine image_from_crop(const Roi& roi, int size) {
    const double scale = roi.side / size, cos = scale * std::cos(roi.angle), sin = scale * std::sin(roi.angle);
    const double half = size / 2.0;
    return {cos, -sin, roi.x - half * (cos - sin), sin, cos, roi.y - half * (sin + cos)};
}

// Takes landmarks (x, y, z), `count` of them, from the crop to the picture, in place (step 9).
inline void to_image(const Affine& image_from_crop, float* landmarks, std::size_t count) {
    const double scale = image_from_crop.scale();
    for (float* one = landmarks; one != landmarks + 3 * count; one += 3) {
        const Point point = image_from_crop(double(one[0]), double(one[1]));
        one[0] = float(point.x), one[1] = float(point.y), one[2] = float(scale * double(one[2]));
    }
}

// --- Face detectors (steps 1 to 6) ----------------------------------------------------------------------------------

// `grids`: cells along a side, anchors in each cell.
struct DetectorConfig {
    int input_size;
    double min_score;
    std::vector<std::pair<int, int>> grids;
};

inline DetectorConfig short_range() { return {128, 0.5, {{16, 2}, {8, 6}}}; }
inline DetectorConfig full_range() { return {192, 0.6, {{48, 1}}}; }

// A face: left, top, right, bottom, then x and y of the subject's right eye, left eye, nose tip, mouth, right and left
// ear; first in pixels of the detector's input, after `to_image` in those of the picture.
struct Detection {
    std::array<float, 16> row{};
    float score = 0;
};

// Centres of the anchors [input px].
inline std::vector<Point> anchors(const DetectorConfig& config) {
    std::vector<Point> centres;
    for (const auto& [cells, repeats] : config.grids) {
        const double pitch = double(config.input_size) / cells;
        for (int y = 0; y < cells; ++y)
            for (int x = 0; x < cells; ++x)
                centres.insert(centres.end(), std::size_t(repeats), Point{(x + 0.5) * pitch, (y + 0.5) * pitch});
    }
    return centres;
}

// Fits the picture into the middle of the detector's square input.
inline Affine letterbox(int width, int height, int size) {
    const double side = std::max(width, height), scale = side / size;
    return {scale, 0, (width - side) / 2, 0, scale, (height - side) / 2};
}

// The detector's input, for a picture of any size.
inline std::vector<float> detector_input(const Picture& picture, const DetectorConfig& config, Layout layout) {
    return crop(picture, letterbox(picture.width, picture.height, config.input_size), config.input_size, layout, 1, 2);
}

// The anchors that see a face. `boxes` has 16 numbers for each anchor, `scores` a logit.
inline std::vector<Detection> decode(const DetectorConfig& config, const float* boxes, const float* scores) {
    const std::vector<Point> centres = anchors(config);
    const double least = std::log(config.min_score / (1 - config.min_score));
    std::vector<Detection> found;
    for (std::size_t n = 0; n < centres.size(); ++n) {
        const float* raw = boxes + 16 * n;
        if (!(double(scores[n]) >= least && raw[2] >= 0 && raw[3] >= 0)) continue;  // nor NaN
        Detection one;
        for (std::size_t i = 0; i < 16; i += 2) {
            one.row[i] = float(double(raw[i]) + centres[n].x);
            one.row[i + 1] = float(double(raw[i + 1]) + centres[n].y);
        }
        const float x = one.row[0], y = one.row[1], half_width = raw[2] / 2, half_height = raw[3] / 2;
        one.row[0] = x - half_width, one.row[1] = y - half_height;
        one.row[2] = x + half_width, one.row[3] = y + half_height;
        one.score = float(1 / (1 + std::exp(-double(scores[n]))));
        found.push_back(one);
    }
    return found;
}

// Intersection over union of two boxes; 0 where both are empty.
inline double overlap(const Detection& one, const Detection& other) {
    const auto &p = one.row, &q = other.row;
    const double width = std::max(0.0f, std::min(p[2], q[2]) - std::max(p[0], q[0]));
    const double height = std::max(0.0f, std::min(p[3], q[3]) - std::max(p[1], q[1]));
    const auto area = [](const auto& box) { return double(box[2] - box[0]) * double(box[3] - box[1]); };
    const double all = area(p) + area(q) - width * height;
    return all > 0 ? width * height / all : 0;
}

inline void sort_by_score(std::vector<Detection>& found) {
    std::stable_sort(found.begin(), found.end(), [](const auto& p, const auto& q) { return p.score > q.score; });
}

// One row for each face, best first: the mean of its rows, weighted by score.
inline std::vector<Detection> weighted_suppression(std::vector<Detection> rows, double most = 0.3) {
    sort_by_score(rows);
    std::vector<Detection> faces;
    while (!rows.empty()) {
        const Detection best = rows.front();
        std::vector<Detection> others;
        std::array<double, 16> sum{};
        double weights = 0;
        for (std::size_t n = 0; n < rows.size(); ++n) {
            if (n > 0 && !(overlap(best, rows[n]) > most)) {  // an empty box does not even overlap itself
                others.push_back(rows[n]);
                continue;
            }
            weights += double(rows[n].score);
            for (std::size_t i = 0; i < 16; ++i) sum[i] += double(rows[n].score) * double(rows[n].row[i]);
        }
        Detection face{{}, best.score};
        for (std::size_t i = 0; i < 16; ++i) face.row[i] = float(sum[i] / weights);
        faces.push_back(face);
        rows = std::move(others);
    }
    return faces;
}

// Faces that several detectors found, best first, each once.
inline std::vector<Detection> without_repeats(std::vector<Detection> found, double most = 0.3) {
    sort_by_score(found);
    std::vector<Detection> kept;
    for (const Detection& face : found)
        if (std::none_of(kept.begin(), kept.end(), [&](const auto& one) { return overlap(face, one) > most; }))
            kept.push_back(face);
    return kept;
}

// From the detector's input to the picture. `image_from_input` is that of `letterbox`.
inline Detection to_image(const Affine& image_from_input, Detection face) {
    for (std::size_t i = 0; i < 16; i += 2) {
        const Point point = image_from_input(double(face.row[i]), double(face.row[i + 1]));
        face.row[i] = float(point.x), face.row[i + 1] = float(point.y);
    }
    return face;
}

// --- Regions of interest (step 7) -----------------------------------------------------------------------------------

inline Roi region(const Detection& face) {
    const auto& r = face.row;
    const double side = 1.5 * double(std::max(r[2] - r[0], r[3] - r[1]));
    const double angle = std::atan2(double(r[7]) - double(r[5]), double(r[6]) - double(r[4]));
    return {(double(r[0]) + double(r[2])) / 2, (double(r[1]) + double(r[3])) / 2, side, angle};
}

// For the next frame, from the 478 landmarks (x, y, z) of this one, before smoothing.
inline Roi region(const float* landmarks, std::size_t count = 478) {
    if (count < 264) throw std::invalid_argument("amesh: expected the 478 landmarks of a face");
    double x0 = std::numeric_limits<double>::infinity(), y0 = x0, x1 = -x0, y1 = -x0;
    for (std::size_t n = 0; n < count; ++n) {
        const double x = double(landmarks[3 * n]), y = double(landmarks[3 * n + 1]);
        x0 = std::min(x0, x), x1 = std::max(x1, x), y0 = std::min(y0, y), y1 = std::max(y1, y);
    }
    const auto line = [&](std::size_t from, std::size_t to) -> Point {
        return {double(landmarks[3 * to]) - double(landmarks[3 * from]),
                double(landmarks[3 * to + 1]) - double(landmarks[3 * from + 1])};
    };
    // Between the outer corners of the eyes; in profile, these meet, and the face's midline decides instead.
    const Point eyes = line(33, 263), midline = line(10, 152);
    const double width = std::max(1e-6, std::hypot(eyes.x, eyes.y));
    const double height = std::max(1e-6, std::hypot(midline.x, midline.y));
    const double p = std::clamp((0.56 - width / (height * 0.531327)) / 0.28, 0.0, 1.0);
    const double across = (1 - p) * eyes.x / width + p * midline.y / height;
    const double down = (1 - p) * eyes.y / width - p * midline.x / height;
    return {(x0 + x1) / 2, (y0 + y1) / 2, 1.5 * std::max(x1 - x0, y1 - y0), std::atan2(down, across)};
}

// --- Video (step 10) ------------------------------------------------------------------------------------------------

// The One-Euro filter of one face (Casiez, Roussel, Vogel, CHI 2012), with speeds in sizes of the face per second.
class OneEuro {
public:
    // {0.05, 80} smooths as MediaPipe does; {1, 200} lags less.
    explicit OneEuro(double min_cutoff = 0.05, double beta = 80, double derivative_cutoff = 1)
        : min_cutoff_(min_cutoff), beta_(beta), derivative_cutoff_(derivative_cutoff) {}

    // Filters the landmarks (x, y, z) of the next frame, taken at `time` [s], in place.
    //
    // A time that does not grow repeats the last answer; after half a second without frames, the filter starts afresh.
    void operator()(float* landmarks, std::size_t count, double time) {
        const std::size_t numbers = 3 * count;
        const double step = time - time_;
        if (raw_.size() != numbers || !(std::abs(step) <= 0.5)) {
            raw_.assign(landmarks, landmarks + numbers);
            smooth_ = raw_;
            speed_.assign(numbers, 0);
            time_ = time;
            return;
        }
        if (step > 0) {
            const double size = face_size(landmarks, count);
            for (std::size_t n = 0; n < numbers; ++n) {
                const double now = double(landmarks[n]);
                if (size > 0)
                    speed_[n] += weight(derivative_cutoff_, step) * ((now - raw_[n]) / (size * step) - speed_[n]);
                smooth_[n] += weight(min_cutoff_ + beta_ * std::abs(speed_[n]), step) * (now - smooth_[n]);
                raw_[n] = now;
            }
            time_ = time;
        }
        for (std::size_t n = 0; n < numbers; ++n) landmarks[n] = float(smooth_[n]);
    }

private:
    static double weight(double cutoff, double step) { return 1 - 1 / (1 + 2 * kPi * cutoff * step); }

    static double face_size(const float* landmarks, std::size_t count) {
        double sum = 0;
        for (std::size_t axis = 0; axis < 2; ++axis) {
            float low = std::numeric_limits<float>::infinity(), high = -low;
            for (std::size_t n = 0; n < count; ++n) {
                low = std::min(low, landmarks[3 * n + axis]);
                high = std::max(high, landmarks[3 * n + axis]);
            }
            sum += double(high) - double(low);
        }
        return sum / 2;
    }

    double min_cutoff_, beta_, derivative_cutoff_, time_ = 0;
    std::vector<double> raw_, smooth_, speed_;
};

}  // namespace amesh

#endif  // AMESH_HPP
