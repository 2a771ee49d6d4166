// Holds amesh.hpp to the numbers that amesh itself computes:
//
//     g++ -std=c++17 -O2 -o check check.cpp && ./check ../../docs/pipeline/reference.json

#include <cstdio>
#include <fstream>
#include <sstream>

#include "amesh.hpp"
#include "json.hpp"

namespace {

int checks = 0, failures = 0;

void close(const std::string& what, const std::vector<double>& found, const std::vector<double>& wanted, double most) {
    ++checks;
    bool good = found.size() == wanted.size();
    for (std::size_t n = 0; good && n < found.size(); ++n) good = std::abs(found[n] - wanted[n]) <= most;
    if (good) return;
    ++failures;
    std::printf("FAILED %s\n", what.c_str());
    const auto print = [](const char* name, const std::vector<double>& numbers) {
        std::printf("  %s", name);
        for (double number : numbers) std::printf(" %.6f", number);
        std::printf("\n");
    };
    print("found ", found);
    print("wanted", wanted);
}

void check(const std::string& what, bool good) { close(what, {good ? 1.0 : 0.0}, {1.0}, 0); }

template <class Call>
void refused(const std::string& what, Call call) {
    try {
        call();
    } catch (const std::invalid_argument&) {
        return check(what, true);
    }
    check(what, false);
}

template <class Row>
std::vector<double> as_doubles(const Row& row) { return {row.begin(), row.end()}; }
std::vector<double> numbers(const amesh::Affine& m) { return {m.a, m.b, m.x, m.c, m.d, m.y}; }

void close_region(const std::string& what, const amesh::Roi& found, const Json& wanted, double most) {
    const std::vector<double> centre = wanted["centre"].numbers();
    const double side = wanted["side"].number(), angle = wanted["angle_radians"].number();
    close(what + ": region", {found.x, found.y, found.side}, {centre[0], centre[1], side}, most);
    close(what + ": angle", {found.angle}, {angle}, 2e-5);
}

amesh::Roi as_roi(const Json& roi) {
    return {roi["centre"][0].number(), roi["centre"][1].number(), roi["side"].number(), roi["angle_radians"].number()};
}

// The picture that the page defines by a formula.
std::vector<std::uint8_t> formula(int width, int height) {
    std::vector<std::uint8_t> rgb;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int value : {x, y, x + y}) rgb.push_back(std::uint8_t(value % 256));
    return rgb;
}

void check_crop(const Json& face, const amesh::Roi& roi, int size, double most) {
    const std::string what = "crop, " + face["name"].string();
    const std::vector<std::uint8_t> rgb = formula(640, 480);
    const amesh::Picture picture(rgb.data(), 640, 480);
    const amesh::Affine place = amesh::image_from_crop(roi, size);
    close(what + ": matrix", numbers(place), face["image_from_crop"].numbers(), 1e-5);
    const std::vector<float> rows = amesh::crop(picture, place, size, amesh::Layout::nhwc);
    const std::vector<float> planes = amesh::crop(picture, place, size, amesh::Layout::nchw);
    for (const Json& pixel : face["crop_pixels"]) {
        const std::size_t side = std::size_t(size);
        const std::size_t at = std::size_t(pixel["row"].number()) * side + std::size_t(pixel["column"].number());
        std::vector<double> found, other;
        for (std::size_t c = 0; c < 3; ++c) {
            found.push_back(255 * double(rows[3 * at + c]));
            other.push_back(255 * double(planes[c * side * side + at]));
        }
        close(what + ": pixel", found, pixel["rgb"].numbers(), most);
        close(what + ": layouts", found, other, 1e-4);
    }
}

// Where a crop shrinks the picture, stripes of one pixel average out.
void check_stripes() {
    std::vector<std::uint8_t> rgb;
    for (int n = 0; n < 640 * 480; ++n) rgb.insert(rgb.end(), 3, std::uint8_t(255 * (n % 2)));
    const amesh::Picture picture(rgb.data(), 640, 480);
    const amesh::Affine place = amesh::image_from_crop({320, 240, 384, 0.1}, 48);
    const std::vector<float> grey = amesh::crop(picture, place, 48, amesh::Layout::nhwc);
    const auto [low, high] = std::minmax_element(grey.begin(), grey.end());
    close("stripes average out", {double(*low), double(*high)}, {0.5, 0.5}, 0.1);
}

amesh::Detection as_detection(const Json& box, const Json& eyes) {
    amesh::Detection face;
    const std::vector<float> corners = box.floats(), points = eyes.floats();
    std::copy(corners.begin(), corners.end(), face.row.begin());
    std::copy(points.begin(), points.begin() + 4, face.row.begin() + 4);
    return face;
}

void check_crops(const Json& reference) {
    for (const Json& face : reference["crops"]) {
        const amesh::Roi roi = amesh::region(as_detection(face["box"], face["eyes"]));
        close_region(face["name"].string(), roi, face["roi"], 1e-4);
        check_crop(face, roi, 256, 0.1);  // OpenCV 4, which made the numbers, cuts at multiples of 1/32 px
        std::vector<float> points;
        for (const Json& point : face["crop_points"])
            points.insert(points.end(), {point.floats()[0], point.floats()[1], 10});
        const amesh::Affine place = amesh::image_from_crop(roi, 256);
        amesh::to_image(place, points.data(), 3);
        for (std::size_t n = 0; n < 3; ++n) {
            std::vector<double> wanted = face["image_points"][n].numbers();
            wanted.push_back(10 * roi.side / 256);
            const auto point = points.begin() + std::ptrdiff_t(3 * n);
            close(face["name"].string() + ": points", {point, point + 3}, wanted, 1e-3);
        }
    }
    for (const Json& face : reference["more_crops"])
        check_crop(face, as_roi(face["roi"]), int(face["size"].number()), 0.1);
}

void check_detector(const std::string& name, const amesh::DetectorConfig& config, const Json& steps) {
    const std::vector<amesh::Point> centres = amesh::anchors(config);
    for (const Json& anchor : steps["anchors"]) {
        const amesh::Point& centre = centres.at(std::size_t(anchor["number"].number()));
        close(name + ": anchor", {centre.x, centre.y}, anchor["centre"].numbers(), 0);
    }
    // Of all the network's answers, those that the reference has; the others see nothing.
    std::vector<float> boxes(16 * centres.size(), 0.0f), scores(centres.size(), -5.0f);
    std::vector<double> rows, found_rows;
    for (const Json& kept : steps["kept"]) {
        const std::size_t n = std::size_t(kept["anchor"].number());
        const std::vector<float> raw = kept["raw"].floats();
        std::copy(raw.begin(), raw.end(), boxes.begin() + std::ptrdiff_t(16 * n));
        scores[n] = float(kept["logit"].number());
        for (double number : kept["row"].numbers()) rows.push_back(number);
        rows.push_back(kept["score"].number());
    }
    scores[3] = std::numeric_limits<float>::quiet_NaN();
    scores[4] = scores[5] = 9;  // surest of all, if they had a size
    boxes[16 * 4 + 2] = -1;
    boxes[16 * 5 + 3] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<amesh::Detection> found = amesh::decode(config, boxes.data(), scores.data());
    for (const amesh::Detection& one : found) {
        found_rows.insert(found_rows.end(), one.row.begin(), one.row.end());
        found_rows.push_back(double(one.score));
    }
    close(name + ": rows", found_rows, rows, 1e-4);
    const std::vector<amesh::Detection> faces = amesh::weighted_suppression(found);
    check(name + ": one face", faces.size() == 1);
    close(name + ": merged", as_doubles(faces.at(0).row), steps["merged"]["row"].numbers(), 1e-4);
    close(name + ": score", {double(faces.at(0).score)}, {steps["merged"]["score"].number()}, 1e-5);
    const Json& size = steps["picture"];
    const amesh::Affine place = amesh::letterbox(int(size[0].number()), int(size[1].number()), config.input_size);
    close(name + ": letterbox", numbers(place), steps["image_from_input"].numbers(), 1e-5);
    const amesh::Detection face = amesh::to_image(place, faces.at(0));
    std::vector<double> wanted = steps["box"].numbers();
    for (double number : steps["keypoints"].numbers()) wanted.push_back(number);
    close(name + ": box and keypoints", as_doubles(face.row), wanted, 1e-3);
    close_region(name, amesh::region(face), steps["roi"], 1e-3);
}

void check_suppression(const Json& given) {
    std::vector<amesh::Detection> rows;
    for (std::size_t n = 0; n < given["rows"].size(); ++n) {
        amesh::Detection one{{}, given["scores"].floats()[n]};
        const std::vector<float> row = given["rows"][n].floats();
        std::copy(row.begin(), row.end(), one.row.begin());
        rows.push_back(one);
    }
    const std::vector<amesh::Detection> faces = amesh::weighted_suppression(rows);
    check("suppression: faces", faces.size() == given["merged"].size());
    for (std::size_t n = 0; n < given["merged"].size(); ++n) {
        close("suppression: row", as_doubles(faces.at(n).row), given["merged"][n]["row"].numbers(), 1e-4);
        close("suppression: score", {double(faces.at(n).score)}, given["merged"][n]["score"].numbers(), 1e-6);
    }
    check("repeats", amesh::without_repeats(rows).size() == faces.size());
}

void check_landmark_regions(const Json& reference) {
    for (const Json& face : reference["profiles"]) {
        std::vector<float> points(3 * 478, 145.0f);
        const std::vector<std::size_t> numbers{33, 263, 10, 152};
        std::vector<double> ends = face["eyes"].numbers();
        for (double number : face["midline"].numbers()) ends.push_back(number);
        for (std::size_t n = 0; n < 4; ++n)
            for (std::size_t axis = 0; axis < 2; ++axis) points[3 * numbers[n] + axis] = float(ends[2 * n + axis]);
        close_region("profile", amesh::region(points.data()), face["roi"], 1e-3);
    }
    const Json& stored = reference["landmarks"];
    close_region("next frame", amesh::region(stored["all"].floats().data()), stored["next_roi"], 3e-3);
}

void check_smoothing(const Json& given) {
    for (const Json& filter : given["filters"]) {
        amesh::OneEuro smooth(filter["min_cutoff"].number(), filter["beta"].number(),
                              filter["derivative_cutoff"].number());
        for (std::size_t n = 0; n < given["frames"].size(); ++n) {
            const Json& frame = given["frames"][n];
            std::vector<float> points = frame["landmarks"].floats();
            smooth(points.data(), points.size() / 3, frame["time"].number());
            const std::vector<double> wanted = filter["landmarks"][n].numbers();
            close("smoothing, " + filter["name"].string(), as_doubles(points), wanted, 1e-4);
        }
    }
}

void check_bad_input() {
    const std::vector<std::uint8_t> rgb = formula(7, 5);
    const amesh::Picture picture(rgb.data(), 7, 5);
    const auto layout = amesh::Layout::nhwc;
    const double nan = std::numeric_limits<double>::quiet_NaN(), endless = std::numeric_limits<double>::infinity();
    const auto cut = [&](const amesh::Roi& roi) {
        return amesh::crop(picture, amesh::image_from_crop(roi, 9), 9, layout);
    };
    refused("no picture", [] { amesh::Picture(nullptr, 4, 4); });
    refused("a picture without rows", [&] { amesh::Picture(rgb.data(), 7, 0); });
    refused("a region that is not a number", [&] { cut({1, nan, 3, 0}); });
    refused("an endless region", [&] { cut({1, 1, endless, 0}); });
    refused("a crop without pixels", [&] { amesh::crop(picture, {}, 0, layout); });
    refused("too few landmarks", [&] { amesh::region(std::vector<float>(30).data(), 10); });
    // Far away, huge, tiny and empty regions are black or flat, and read nothing outside the picture.
    const std::vector<amesh::Roi> odd{{1e9, 1e9, 10, 1}, {-1e30, 0, 1, 2}, {3, 2, 1e12, 1},
                                      {3, 2, 1e-9, 0},   {3, 2, 0, 0},     {7.4, 5.4, 3, 0.5}};
    const auto in_range = [](float value) { return value >= 0 && value <= 1; };
    for (const amesh::Roi& roi : odd) {
        const std::vector<float> values = cut(roi);
        check("values of a crop", std::all_of(values.begin(), values.end(), in_range));
    }
    const std::vector<float> far = cut(odd[0]);
    check("a crop outside is black", std::all_of(far.begin(), far.end(), [](float value) { return value == 0; }));
    // A picture whose rows are padded in memory.
    std::vector<std::uint8_t> padded(5 * 32, 255);
    for (std::ptrdiff_t y = 0; y < 5; ++y)
        std::copy(rgb.begin() + 21 * y, rgb.begin() + 21 * (y + 1), padded.begin() + 32 * y);
    const amesh::Affine place = amesh::image_from_crop({3.5, 2.5, 9, 0.3}, 4);
    const amesh::Picture same(padded.data(), 7, 5, 32);
    check("padded rows", amesh::crop(picture, place, 4, layout) == amesh::crop(same, place, 4, layout));
}

}  // namespace

int main(int count, char** words) {
    if (count != 2) {
        std::fputs("usage: check REFERENCE.json\n", stderr);
        return 2;
    }
    std::ifstream file(words[1]);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) {
        std::fprintf(stderr, "cannot read %s\n", words[1]);
        return 2;
    }
    const Json reference = Json::parse(text.str());
    check_crops(reference);
    check_stripes();
    check_detector("short", amesh::short_range(), reference["detectors"]["short"]);
    check_detector("full", amesh::full_range(), reference["detectors"]["full"]);
    check_suppression(reference["suppression"]);
    check_landmark_regions(reference);
    check_smoothing(reference["smoothing"]);
    check_bad_input();
    std::printf("%d checks, %d failed\n", checks, failures);
    return failures > 0;
}
