# The operator, the exporter and the purge Jobs. From the root: make images, or
# docker build --file docker/operator.Dockerfile .
#
# BASE         Debian or Ubuntu, whose python3 is 3.11 or newer
# wheels       build context with a folder of wheels that pip looks into first; empty by default
ARG BASE=docker.io/library/debian:bookworm-slim

FROM scratch AS wheels

FROM ${BASE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache
RUN groupadd --gid 65532 lccp \
    && useradd --uid 65532 --gid lccp --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lccp

FROM python AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/lccp
COPY requirements-dev.lock /src/
ENV PIP_CONSTRAINT=/src/requirements-dev.lock PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN --mount=type=bind,from=wheels,target=/wheels \
    /build/bin/pip install --find-links /wheels setuptools
COPY docker/operator.lock /src/docker/
RUN --mount=type=bind,from=wheels,target=/wheels \
    /build/bin/pip --python /opt/lccp/bin/python install --find-links /wheels \
        --requirement /src/docker/operator.lock
COPY . /src
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel /src \
    && /build/bin/pip --python /opt/lccp/bin/python install --no-deps /tmp/wheel/*.whl

FROM python
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="lccp-operator" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/lccp /opt/lccp
ENV PATH=/opt/lccp/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
CMD ["lccp-operator"]
