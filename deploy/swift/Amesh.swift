// The arithmetic around a face detector and a network that cuts its own crops (`amesh export onnx --with-crop`), in
// Swift. Not compiled by this project, which has no Swift compiler: run `check()` once, in a test of your app.
//
// docs/pipeline.md explains each step. Coordinates are continuous: the corner of the top-left pixel is (0, 0). Angles
// are in radians, clockwise on the screen.

import Foundation

/// A square region of interest: centre, side [px], angle of its x axis in the picture.
struct Roi {
    var x: Double, y: Double, side: Double, angle: Double

    /// A row of the network's input `rois`.
    var row: [Float] { [Float(x), Float(y), Float(side), Float(angle)] }
}

/// A face: left, top, right, bottom, then x and y of six keypoints, the eyes first (the image-left one first).
struct Detection {
    var row: [Double]
    var score: Double

    /// Intersection over union.
    func overlap(_ other: Detection) -> Double {
        let width = max(0, min(row[2], other.row[2]) - max(row[0], other.row[0]))
        let height = max(0, min(row[3], other.row[3]) - max(row[1], other.row[1]))
        let union = area + other.area - width * height
        return union > 0 ? width * height / union : 0
    }

    var area: Double { (row[2] - row[0]) * (row[3] - row[1]) }

    /// From the detector's input, 128 x 128 px, to a picture that was fitted into its middle.
    func inPicture(width: Double, height: Double) -> Detection {
        let side = max(width, height)
        let corner = [(width - side) / 2, (height - side) / 2]
        let moved = row.enumerated().map { n, value in value * side / 128 + corner[n % 2] }
        return Detection(row: moved, score: score)
    }

    var region: Roi {
        Roi(
            x: (row[0] + row[2]) / 2,
            y: (row[1] + row[3]) / 2,
            side: 1.5 * max(row[2] - row[0], row[3] - row[1]),
            angle: atan2(row[7] - row[5], row[6] - row[4])
        )
    }
}

/// Faces, best first, from the answers of `detector-short`: `boxes` (896 x 16) and `scores` (896 logits) [input px].
func faces(boxes: [Float], scores: [Float]) -> [Detection] {
    var rows: [Detection] = []
    for n in 0..<896 where scores[n] >= 0 && boxes[16 * n + 2] >= 0 && boxes[16 * n + 3] >= 0 {
        let centre = anchor(n)
        let raw = boxes[16 * n..<16 * n + 16].map { Double($0) }
        var row = raw.enumerated().map { i, value in value + (i % 2 == 0 ? centre.x : centre.y) }
        (row[0], row[2]) = (row[0] - raw[2] / 2, row[0] + raw[2] / 2)
        (row[1], row[3]) = (row[1] - raw[3] / 2, row[1] + raw[3] / 2)
        rows.append(Detection(row: row, score: 1 / (1 + exp(-Double(scores[n])))))
    }
    return suppress(rows)
}

/// Centre of an anchor of `detector-short` [input px].
func anchor(_ n: Int) -> (x: Double, y: Double) {
    let k = n - 512
    let x = n < 512 ? 8 * (n / 2 % 16) + 4 : 16 * (k / 6 % 8) + 8
    let y = n < 512 ? 8 * (n / 32) + 4 : 16 * (k / 48) + 8
    return (Double(x), Double(y))
}

/// Rows that overlap the best one by more than 0.3 become one face with it, their mean weighted by score.
func suppress(_ rows: [Detection]) -> [Detection] {
    var left = rows.sorted { $0.score > $1.score }
    var found: [Detection] = []
    while let best = left.first {
        let same = left.enumerated().filter { $0.offset == 0 || $0.element.overlap(best) > 0.3 }.map(\.element)
        left = left.enumerated().filter { $0.offset > 0 && $0.element.overlap(best) <= 0.3 }.map(\.element)
        let sum = same.reduce(0.0) { $0 + $1.score }
        let mean = (0..<16).map { n in same.reduce(0.0) { $0 + $1.score * $1.row[n] } / sum }
        found.append(Detection(row: mean, score: best.score))
    }
    return found
}

/// The region of the next frame, from the landmarks (x, y, z) of this one, before smoothing [px].
func nextRegion(_ landmarks: [Float]) -> Roi {
    let x = stride(from: 0, to: landmarks.count, by: 3).map { Double(landmarks[$0]) }
    let y = stride(from: 1, to: landmarks.count, by: 3).map { Double(landmarks[$0]) }
    let (left, right, top, bottom) = (x.min()!, x.max()!, y.min()!, y.max()!)
    // Between the outer corners of the eyes; in profile, these meet, and the face's midline decides instead.
    let eyes = (x: x[263] - x[33], y: y[263] - y[33])
    let midline = (x: x[152] - x[10], y: y[152] - y[10])
    let width = max(hypot(eyes.x, eyes.y), 1e-6)
    let height = max(hypot(midline.x, midline.y), 1e-6)
    let p = min(max((0.56 - width / (height * 0.531327)) / 0.28, 0), 1)
    let across = (1 - p) * eyes.x / width + p * midline.y / height
    let down = (1 - p) * eyes.y / width - p * midline.x / height
    return Roi(
        x: (left + right) / 2,
        y: (top + bottom) / 2,
        side: 1.5 * max(right - left, bottom - top),
        angle: atan2(down, across)
    )
}

/// Stops the program unless this file computes the numbers of docs/pipeline/reference.json.
func check() {
    func close(_ found: Double, _ wanted: Double) { precondition(abs(found - wanted) < 1e-3, "\(found), not \(wanted)") }
    // detectors, short: two anchors and the region of the merged row.
    close(anchor(40).x, 36)
    close(anchor(895).y, 120)
    let merged = [
        44.512672, 36.221882, 68.072632, 59.781914, 50.99612, 41.147808, 62.040314, 43.097576, 55.505177, 47.105251,
        54.702736, 52.360779, 44.447128, 43.291233, 67.824631, 47.28561,
    ]
    let roi = Detection(row: merged, score: 0.921274).inPicture(width: 512, height: 384).region
    close(roi.x, 225.170609)
    close(roi.y, 128.007591)
    close(roi.side, 141.360191)
    close(roi.angle, 0.174742)
    // suppression: the first two faces.
    let boxes: [([Double], Double)] = [
        ([20, 20, 60, 60], 0.9), ([22, 18, 62, 58], 0.8), ([30, 30, 66, 66], 0.6), ([80, 70, 110, 100], 0.7),
        ([82, 72, 112, 102], 0.95),
    ]
    let kept = suppress(boxes.map { Detection(row: $0 + $0 + $0 + $0, score: $1) })
    close(kept[0].row[0], 81.151512)
    close(kept[1].row[3], 60.869564)
    // profiles, the third: all other landmarks lie at (145, 145).
    var landmarks = [Float](repeating: 145, count: 3 * 478)
    for (n, point) in [(33, (150, 100)), (263, (156, 112)), (10, (143, 60)), (152, (160, 235))] {
        (landmarks[3 * n], landmarks[3 * n + 1]) = (Float(point.0), Float(point.1))
    }
    close(nextRegion(landmarks).side, 262.5)
    close(nextRegion(landmarks).angle, -0.096839)
}
