# The app as an image: python of Debian, the pinned packages, no compiler, no root. See docs/deploy.md.
FROM python:3.11-slim-bookworm AS packages
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/trueup/venv \
    && /opt/trueup/venv/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/requirements.txt

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin trueup \
    && install -d -o trueup -g trueup /data
COPY --from=packages /opt/trueup/venv /opt/trueup/venv
COPY . /opt/trueup/app
# Compiled here, because the running container may not write beside the code.
RUN /opt/trueup/venv/bin/python -m compileall -q /opt/trueup/app
WORKDIR /opt/trueup/app
ENV PYTHONDONTWRITEBYTECODE=1 TRUEUP_DATA_DIR=/data TRUEUP_BIND_ADDRESS=0.0.0.0
USER trueup
VOLUME ["/data"]
EXPOSE 8501 4317
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["/opt/trueup/venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/readyz', timeout=4)"]
ENTRYPOINT ["/opt/trueup/venv/bin/python", "-m", "core", "serve"]
